#include "arrays/tensor_comparison.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <iterator>

namespace escan {
namespace {

constexpr float kNan = NAN;
constexpr float kInfinity = INFINITY;

template <typename T>
std::string Bytes(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(std::data(values)), values.size() * sizeof(T)};
}

TensorSpec Tensor(Datatype datatype, int64_t elements = 3) {
  return {.name = "scores", .datatype = datatype, .shape = {elements}};
}

std::string Difference(const TensorSpec& tensor, const std::string& found, const std::string& right,
                       double allowed = 0) {
  return FindDifference(tensor, found, right, allowed).value_or("");
}

std::string Floats(std::initializer_list<float> found, std::initializer_list<float> right,
                   double allowed = 0) {
  return Difference(Tensor(Datatype::kFp32), Bytes(found), Bytes(right), allowed);
}

TEST(FindDifference, AllowsWhatIsAllowedAndNoMore) {
  EXPECT_EQ(Floats({.5f, .3f, .2f}, {.5f, .25f, .25f}, 0.06), "");
  EXPECT_EQ(Floats({.5f, .25f, .375f}, {.5f, .25f, .25f}, 0.06),
            "'scores'[2] is 0.375 where 0.25 is right");
  EXPECT_EQ(Floats({-.5f, 0, 0}, {.5f, 0, 0}, 0.9), "'scores'[0] is -0.5 where 0.5 is right");
}

TEST(FindDifference, NanAndInfinityAreRightOnlyWhereTheyAreExpected) {
  EXPECT_EQ(Floats({0, kNan, 0}, {0, .25f, 0}, 1e9), "'scores'[1] is nan where 0.25 is right");
  EXPECT_EQ(Floats({0, .25f, 0}, {0, kNan, 0}, 1e9), "'scores'[1] is 0.25 where nan is right");
  EXPECT_EQ(Floats({0, kInfinity, 0}, {0, 1, 0}, 1e9), "'scores'[1] is inf where 1 is right");
  EXPECT_EQ(Floats({-kInfinity, 0, 0}, {kInfinity, 0, 0}, 1e9),
            "'scores'[0] is -inf where inf is right");
  EXPECT_EQ(Floats({kNan, kInfinity, 0}, {kNan, kInfinity, 1e-9f}, 1e-6), "");
}

TEST(FindDifference, ReadsEveryFloatingPointDatatype) {
  // 1, -2, the smallest number and one that is not a number, in binary16.
  const std::string half = Bytes<uint16_t>({0x3c00, 0xc000, 0x0001, 0x7e00});
  EXPECT_EQ(Difference(Tensor(Datatype::kFp16), half, Bytes<uint16_t>({0x3c01, 0xc001, 0, 0x7e01}),
                       0.002),
            "");
  EXPECT_EQ(Difference(Tensor(Datatype::kFp16), half, Bytes<uint16_t>({0x3c00, 0x4000, 1, 0x7e00}),
                       0.002),
            "'scores'[1] is -2 where 2 is right");
  EXPECT_EQ(Difference(Tensor(Datatype::kFp16), half, Bytes<uint16_t>({0x3c00, 0xc000, 1, 0x7c00}),
                       0.002),
            "'scores'[3] is nan where inf is right");
  EXPECT_EQ(Difference(Tensor(Datatype::kBf16), Bytes<uint16_t>({0x3f80}),
                       Bytes<uint16_t>({0x4000}), 0.5),
            "'scores'[0] is 1 where 2 is right");
  EXPECT_EQ(Difference(Tensor(Datatype::kFp64), Bytes<double>({1.5}), Bytes<double>({1}), 0.25),
            "'scores'[0] is 1.5 where 1 is right");
}

TEST(FindDifference, IntegersAndTruthValuesAreEqual) {
  EXPECT_EQ(Difference(Tensor(Datatype::kInt32), Bytes<int32_t>({1, -70000, 3}),
                       Bytes<int32_t>({1, 70000, 4}), 1e9),
            "'scores'[1] is -70000 where 70000 is right");
  EXPECT_EQ(
      Difference(Tensor(Datatype::kUint64), Bytes<uint64_t>({~uint64_t{0}}), Bytes<uint64_t>({1})),
      "'scores'[0] is 18446744073709551615 where 1 is right");
  EXPECT_EQ(Difference(Tensor(Datatype::kInt8), Bytes<int8_t>({-1}), Bytes<int8_t>({1})),
            "'scores'[0] is -1 where 1 is right");
  EXPECT_EQ(Difference(Tensor(Datatype::kBool), Bytes<uint8_t>({1, 0}), Bytes<uint8_t>({1, 1})),
            "'scores'[1] is 0 where 1 is right");
  EXPECT_EQ(Difference(Tensor(Datatype::kInt64), Bytes<int64_t>({5}), Bytes<int64_t>({5})), "");
}

TEST(FindDifference, OneElementARowHasNoIndex) {
  TensorSpec scalar = Tensor(Datatype::kFp32);
  scalar.shape.clear();
  EXPECT_EQ(Difference(scalar, Bytes({kNan}), Bytes({1.f})), "'scores' is nan where 1 is right");
}

TEST(LargestFinite, LeavesOutWhatIsNoNumber) {
  EXPECT_EQ(LargestFinite(Datatype::kFp32, Bytes({1.f, -3.f, kNan, kInfinity})), 3.0);
  EXPECT_EQ(LargestFinite(Datatype::kFp32, ""), 0.0);
  EXPECT_EQ(LargestFinite(Datatype::kInt8, "abc"), 0.0);
}

TEST(HoldsNan, FindsItAnywhere) {
  EXPECT_TRUE(HoldsNan(Datatype::kFp32, Bytes({1.f, kNan})));
  EXPECT_FALSE(HoldsNan(Datatype::kFp32, Bytes({1.f, kInfinity})));
  EXPECT_TRUE(HoldsNan(Datatype::kFp16, Bytes<uint16_t>({0x7e00})));
  EXPECT_FALSE(HoldsNan(Datatype::kInt32, Bytes({kNan})));
}

}  // namespace
}  // namespace escan
