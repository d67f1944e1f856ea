#include "loadgen/sample_set.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "loadgen/temporary_folder.h"

namespace escan::loadgen {
namespace {

const TensorSpec kImage{.name = "image", .datatype = Datatype::kUint8, .shape = {2, 2}};
const TensorSpec kMask{.name = "mask", .datatype = Datatype::kBool, .shape = {1}};

std::string Message(const absl::StatusOr<SampleSet>& samples) {
  return std::string(samples.status().message());
}

TEST(SampleSet, GivesTheRowsOfAFile) {
  const TemporaryFolder folder;
  const std::string file = folder.Write("x.npy", Npy("|u1", "(3, 2, 2)", "aaaabbbbcccc"));
  const auto samples = SampleSet::FromFiles({kImage}, {{"", file}});
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_EQ(samples->rows(), 3);
  EXPECT_EQ(samples->Rows(0, 1, 2), "bbbbcccc");
}

TEST(SampleSet, PutsFilesIntoTheOrderOfTheModelsInputs) {
  const TemporaryFolder folder;
  const std::string images = folder.Write("x.npy", Npy("|u1", "(1, 2, 2)", "aaaa"));
  const std::string masks = folder.Write("m.npy", Npy("|b1", "(1, 1)", "\x01"));
  const auto samples = SampleSet::FromFiles({kImage, kMask}, {{"mask", masks}, {"image", images}});
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_EQ(samples->Rows(0, 0, 1), "aaaa");
  EXPECT_EQ(samples->Rows(1, 0, 1), "\x01");
}

TEST(SampleSet, RefusesAFileOfAnotherShapeOrDatatype) {
  const TemporaryFolder folder;
  const std::string flat = folder.Write("x.npy", Npy("|u1", "(1, 4)", "aaaa"));
  EXPECT_EQ(Message(SampleSet::FromFiles({kImage}, {{"", flat}})),
            flat + ": holds UINT8 [1,4], expected UINT8 [N,2,2] for input 'image'");
  const std::string signed_bytes = folder.Write("y.npy", Npy("|i1", "(1, 2, 2)", "aaaa"));
  EXPECT_EQ(Message(SampleSet::FromFiles({kImage}, {{"", signed_bytes}})),
            signed_bytes + ": holds INT8 [1,2,2], expected UINT8 [N,2,2] for input 'image'");
}

TEST(SampleSet, RefusesFilesThatDoNotMatchTheInputs) {
  const TemporaryFolder folder;
  const std::string images = folder.Write("x.npy", Npy("|u1", "(1, 2, 2)", "aaaa"));
  const std::string masks = folder.Write("m.npy", Npy("|b1", "(2, 1)", "ab"));
  EXPECT_EQ(Message(SampleSet::FromFiles({kImage, kMask}, {{"", images}})),
            images + ": names no input; its inputs are image, mask");
  EXPECT_EQ(Message(SampleSet::FromFiles({kImage}, {{"picture", images}})),
            images + ": the model has no input 'picture'; its inputs are image");
  EXPECT_EQ(Message(SampleSet::FromFiles({kImage, kMask}, {{"image", images}})),
            "input 'mask' has no file; the model's inputs are image, mask");
  EXPECT_EQ(Message(SampleSet::FromFiles({kImage}, {{"image", images}, {"image", masks}})),
            "input 'image' has two files: " + images + " and " + masks);
  EXPECT_EQ(Message(SampleSet::FromFiles({kImage, kMask}, {{"image", images}, {"mask", masks}})),
            masks + ": holds 2 rows, expected 1 as in " + images);
}

TEST(SampleSet, RandomSamplesFollowFromTheSeed) {
  const SampleSet first = SampleSet::Random({kImage}, 10, 1);
  const SampleSet again = SampleSet::Random({kImage}, 10, 1);
  const SampleSet other = SampleSet::Random({kImage}, 10, 2);
  EXPECT_EQ(first.rows(), 10);
  EXPECT_EQ(first.Rows(0, 0, 10), again.Rows(0, 0, 10));
  EXPECT_NE(first.Rows(0, 0, 10), other.Rows(0, 0, 10));
}

TEST(SampleSet, RandomIntegersStayWithinTheirRange) {
  const TensorSpec token{
      .name = "t", .datatype = Datatype::kInt16, .shape = {}, .range = IntegerRange{-2, 1}};
  const TensorSpec whole{.name = "w",
                         .datatype = Datatype::kInt64,
                         .shape = {},
                         .range = IntegerRange{INT64_MIN, INT64_MAX}};
  const SampleSet samples = SampleSet::Random({token, whole}, 1000, 1);
  std::set<int16_t> tokens;
  bool negative = false;
  for (int64_t row = 0; row < 1000; ++row) {
    int16_t value;
    std::memcpy(&value, samples.Rows(0, row, 1).data(), sizeof(value));
    tokens.insert(value);
    int64_t wide;
    std::memcpy(&wide, samples.Rows(1, row, 1).data(), sizeof(wide));
    negative = negative || wide < 0;
  }
  EXPECT_EQ(tokens, (std::set<int16_t>{-2, -1, 0, 1}));
  EXPECT_TRUE(negative);
}

TEST(SampleSet, RandomTruthValuesAreZeroOrOneAndNumbersLieBetweenThem) {
  const TensorSpec number{.name = "x", .datatype = Datatype::kFp32, .shape = {}};
  const SampleSet samples = SampleSet::Random({kMask, number}, 1000, 1);
  for (const char value : samples.Rows(0, 0, 1000)) EXPECT_TRUE(value == 0 || value == 1);
  for (int64_t row = 0; row < 1000; ++row) {
    float value;
    std::memcpy(&value, samples.Rows(1, row, 1).data(), sizeof(value));
    EXPECT_GE(value, 0.0f);
    EXPECT_LT(value, 1.0f);
  }
}

}  // namespace
}  // namespace escan::loadgen
