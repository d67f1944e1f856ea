#include "arrays/random_tensor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

namespace escan {
namespace {

// The elements of a thousand scalars.
template <typename T>
std::vector<T> Elements(const TensorSpec& tensor) {
  std::mt19937_64 random(1);
  const std::string bytes = RandomTensor(tensor, 1000, random);
  std::vector<T> elements(bytes.size() / sizeof(T));
  std::memcpy(elements.data(), bytes.data(), bytes.size());
  return elements;
}

TEST(RandomTensor, HoldsAllElementsOfAllRows) {
  std::mt19937_64 random(1);
  const TensorSpec image{.name = "x", .datatype = Datatype::kUint16, .shape = {3, 2}};
  EXPECT_EQ(RandomTensor(image, 5, random).size(), 5u * 12);
}

TEST(RandomTensor, FollowsFromTheGenerator) {
  const TensorSpec image{.name = "x", .datatype = Datatype::kUint8, .shape = {4}};
  std::mt19937_64 random(1);
  std::mt19937_64 equal(1);
  const std::string first = RandomTensor(image, 2, random);
  EXPECT_EQ(RandomTensor(image, 2, equal), first);
  EXPECT_NE(RandomTensor(image, 2, random), first);
}

TEST(RandomTensor, IntegersStayWithinTheirRange) {
  const std::vector<int16_t> tokens = Elements<int16_t>(
      {.name = "t", .datatype = Datatype::kInt16, .shape = {}, .range = IntegerRange{-2, 1}});
  EXPECT_EQ(std::set<int16_t>(tokens.begin(), tokens.end()), (std::set<int16_t>{-2, -1, 0, 1}));
  const std::vector<int64_t> whole =
      Elements<int64_t>({.name = "w",
                         .datatype = Datatype::kInt64,
                         .shape = {},
                         .range = IntegerRange{INT64_MIN, INT64_MAX}});
  EXPECT_LT(std::ranges::min(whole), 0);
  EXPECT_GT(std::ranges::max(whole), 0);
}

TEST(RandomTensor, TruthValuesAreZeroOrOneAndNumbersLieBetweenThem) {
  for (const uint8_t value : Elements<uint8_t>({.datatype = Datatype::kBool})) EXPECT_LE(value, 1);
  for (const float value : Elements<float>({.datatype = Datatype::kFp32})) {
    EXPECT_GE(value, 0.0f);
    EXPECT_LT(value, 1.0f);
  }
}

}  // namespace
}  // namespace escan
