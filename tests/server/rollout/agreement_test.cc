#include "server/rollout/agreement.h"

#include <gtest/gtest.h>

#include <array>

namespace escan {
namespace {

template <typename Number, size_t kSize>
bool AgreeOn(Datatype datatype, const std::array<Number, kSize>& a,
             const std::array<Number, kSize>& b) {
  const TensorSpec spec{.name = "y", .datatype = datatype, .shape = {int64_t{kSize}}};
  return Agree(spec, reinterpret_cast<const std::byte*>(a.data()),
               reinterpret_cast<const std::byte*>(b.data()));
}

TEST(Agree, ClassesAreThePlacesOfTheLargest) {
  EXPECT_TRUE(AgreeOn<float>(Datatype::kFp32, std::array{0.1f, 0.9f}, std::array{0.4f, 0.6f}));
  EXPECT_FALSE(AgreeOn<float>(Datatype::kFp32, std::array{0.1f, 0.9f}, std::array{0.6f, 0.4f}));
  EXPECT_FALSE(AgreeOn<double>(Datatype::kFp64, std::array{0.1, 0.9}, std::array{0.6, 0.4}));
}

TEST(Agree, OneNumberIsNear) {
  EXPECT_TRUE(AgreeOn<float>(Datatype::kFp32, std::array{100.0f}, std::array{100.9f}));
  EXPECT_FALSE(AgreeOn<float>(Datatype::kFp32, std::array{100.0f}, std::array{102.0f}));
  EXPECT_TRUE(AgreeOn<float>(Datatype::kFp32, std::array{0.0f}, std::array{0.0f}));
}

TEST(Agree, AnythingElseIsEqual) {
  EXPECT_TRUE(AgreeOn<int64_t>(Datatype::kInt64, std::array<int64_t, 2>{1, 2},
                               std::array<int64_t, 2>{1, 2}));
  EXPECT_FALSE(AgreeOn<int64_t>(Datatype::kInt64, std::array<int64_t, 2>{1, 2},
                                std::array<int64_t, 2>{1, 3}));
}

}  // namespace
}  // namespace escan
