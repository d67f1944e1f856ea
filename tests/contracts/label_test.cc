#include "contracts/label.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <vector>

namespace escan {
namespace {

template <typename T>
int64_t Label(Datatype datatype, const std::vector<T>& row) {
  const TensorSpec output{"o", datatype, {static_cast<int64_t>(row.size())}, std::nullopt};
  return LabelOf(output, reinterpret_cast<const std::byte*>(row.data()));
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Label, IsTheIndexOfTheLargestElement) {
  EXPECT_EQ(Label<float>(Datatype::kFp32, {0.1f, 0.7f, 0.2f}), 1);
  EXPECT_EQ(Label<double>(Datatype::kFp64, {-3, -2, -1}), 2);
  EXPECT_EQ(Label<int8_t>(Datatype::kInt8, {-3, -7}), 0);
  EXPECT_EQ(Label<uint64_t>(Datatype::kUint64, {1, uint64_t{1} << 63}), 1);
}

TEST(Label, IsTheFirstOfEqualOnesAndNeverNan) {
  EXPECT_EQ(Label<float>(Datatype::kFp32, {kNan, 0.5f, 0.5f}), 1);
  EXPECT_EQ(Label<float>(Datatype::kFp32, {kNan, kNan}), -1);
}

TEST(Label, OrdersSixteenBitFloats) {
  // -2, 0.5, 1, NaN
  EXPECT_EQ(Label<uint16_t>(Datatype::kFp16, {0xc000, 0x3800, 0x3c00, 0x7e00}), 2);
  EXPECT_EQ(Label<uint16_t>(Datatype::kBf16, {0xc000, 0x3f00, 0x3f80, 0x7fc0}), 2);
  // -1 and -2
  EXPECT_EQ(Label<uint16_t>(Datatype::kFp16, {0xc000, 0xbc00}), 1);
}

TEST(Label, OfOneIntegerIsItsValue) {
  EXPECT_EQ(Label<int64_t>(Datatype::kInt64, {42}), 42);
  EXPECT_TRUE(HasLabel({"o", Datatype::kInt32, {}, std::nullopt}));
  EXPECT_FALSE(HasLabel({"o", Datatype::kFp32, {1}, std::nullopt}));
}

TEST(LabelOutput, IsTheOneThatIsScored) {
  CascadeSpec cascade;
  cascade.outputs = {{"box", Datatype::kFp32, {4}, std::nullopt},
                     {"probabilities", Datatype::kFp32, {10}, std::nullopt}};
  cascade.stages.resize(2);
  cascade.stages[0].answer = {0, 1};
  EXPECT_EQ(LabelOutput(cascade), 0);
  cascade.stages[0].exit = {.score = ExitScore::kMargin, .output = 1};
  EXPECT_EQ(LabelOutput(cascade), 1);
  cascade.outputs = {{"score", Datatype::kFp32, {1}, std::nullopt}};
  EXPECT_EQ(LabelOutput(cascade), std::nullopt);
}

}  // namespace
}  // namespace escan
