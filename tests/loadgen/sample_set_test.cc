#include "loadgen/sample_set.h"

#include <gtest/gtest.h>

#include "arrays/zip_files.h"
#include "support/temporary_folder.h"

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
            masks + ": holds 2 rows of 'mask', expected 1 as of the inputs before");
}

TEST(SampleSet, TakesAllInputsFromOneArchive) {
  const TemporaryFolder folder;
  const std::string file =
      folder.Write("x.npz", Zip({{"mask.npy", Npy("|b1", "(2, 1)", std::string("\1\0", 2))},
                                 {"notes.npy", Npy("|u1", "(7,)", "further")},
                                 {"image.npy", Npy("|u1", "(2, 2, 2)", "aaaabbbb")}}));
  const auto samples = SampleSet::FromFiles({kImage, kMask}, {{"", file}});
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_EQ(samples->Rows(0, 1, 1), "bbbb");
  EXPECT_EQ(samples->Rows(1, 0, 2), std::string_view("\1\0", 2));
}

TEST(SampleSet, RefusesAnArchiveThatDoesNotMatchTheInputs) {
  const TemporaryFolder folder;
  const std::string images = Npy("|u1", "(2, 2, 2)", "aaaabbbb");
  const std::string file = folder.Write("x.npz", Zip({{"image.npy", images}}));
  EXPECT_EQ(Message(SampleSet::FromFiles({kImage, kMask}, {{"", file}})),
            file + ": has no array 'mask'; the model's inputs are image, mask");
  folder.Write("x.npz", Zip({{"image.npy", images}, {"mask.npy", Npy("|b1", "(1, 1)", "\1")}}));
  EXPECT_EQ(Message(SampleSet::FromFiles({kImage, kMask}, {{"", file}})),
            file + ": holds 1 rows of 'mask', expected 2 as of the inputs before");
}

TEST(SampleSet, GoesRoundUntilThereAreEnoughRows) {
  const TemporaryFolder folder;
  const std::string file = folder.Write("x.npy", Npy("|u1", "(2, 2, 2)", "aaaabbbb"));
  auto samples = SampleSet::FromFiles({kImage}, {{"", file}});
  samples->RepeatUpTo(2);
  EXPECT_EQ(samples->rows(), 2);
  samples->RepeatUpTo(5);
  EXPECT_EQ(samples->rows(), 5);
  EXPECT_EQ(samples->Rows(0, 0, 5), "aaaabbbbaaaabbbbaaaa");
}

TEST(SampleSet, RandomSamplesFollowFromTheSeed) {
  const SampleSet first = SampleSet::Random({kImage}, 10, 1);
  const SampleSet again = SampleSet::Random({kImage}, 10, 1);
  const SampleSet other = SampleSet::Random({kImage}, 10, 2);
  EXPECT_EQ(first.rows(), 10);
  EXPECT_EQ(first.Rows(0, 0, 10), again.Rows(0, 0, 10));
  EXPECT_NE(first.Rows(0, 0, 10), other.Rows(0, 0, 10));
}

}  // namespace
}  // namespace escan::loadgen
