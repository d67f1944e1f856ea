#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/temporary_folder.h"
#include "worker/cuda/completion_estimate.h"
#include "worker/cuda/gpu_variant.h"
#include "worker/cuda/packed_block.h"
#include "worker/cuda/variant_cache.h"

// What is decided about stages on a GPU, without one.
namespace escan {
namespace {

using std::chrono::microseconds;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> Names(const std::vector<GpuVariant>& variants) {
  std::vector<std::string> names;
  for (const GpuVariant& variant : variants) names.push_back(Name(variant));
  return names;
}

TEST(GpuVariants, TriesEachOrderOfWeightsWhereItIsLeftOpen) {
  EXPECT_THAT(Names(GpuCandidates(MemoryLayout::kAuto, {.has_convolutions = true})),
              ElementsAre("frozen", "optimized", "fused", "frozen+channels_last",
                          "optimized+channels_last", "fused+channels_last"));
  EXPECT_THAT(Names(GpuCandidates(MemoryLayout::kContiguous, {.has_convolutions = true})),
              ElementsAre("frozen", "optimized", "fused"));
  EXPECT_THAT(
      Names(GpuCandidates(MemoryLayout::kChannelsLast, {.has_convolutions = true})),
      ElementsAre("frozen+channels_last", "optimized+channels_last", "fused+channels_last"));
}

TEST(GpuVariants, TriesNoOrderWithoutConvolutions) {
  for (const MemoryLayout layout :
       {MemoryLayout::kAuto, MemoryLayout::kContiguous, MemoryLayout::kChannelsLast}) {
    EXPECT_THAT(Names(GpuCandidates(layout, {.has_convolutions = false})),
                ElementsAre("frozen", "optimized"));
  }
}

TEST(GpuVariants, AreReadBackFromTheirNames) {
  const GpuVariant all = {.rewriting = Rewriting::kFused, .channels_last = true};
  EXPECT_EQ(Name(all), "fused+channels_last");
  EXPECT_EQ(ParseGpuVariant(Name(all)), all);
  EXPECT_EQ(ParseGpuVariant("optimized"), GpuVariant{.rewriting = Rewriting::kOptimized});
  EXPECT_EQ(ParseGpuVariant("frozen"), GpuVariant{});
  EXPECT_EQ(ParseGpuVariant("fastest"), std::nullopt);
}

TEST(FastestVariant, WeighsBothBucketsAlike) {
  // The second gains more at the small bucket than it loses at the large one.
  EXPECT_EQ(Fastest({StepTimes{1, 10}, StepTimes{0.5, 12}, StepTimes{0.9, 9.9}}), 1u);
  EXPECT_EQ(Fastest({StepTimes{1, 10}, StepTimes{0.9, 12}}), 0u);
}

TEST(FastestVariant, LeavesOutWhatDidNotWork) {
  EXPECT_EQ(Fastest({StepTimes{1, 1}, std::nullopt, StepTimes{0.5, 0.5}}), 2u);
  EXPECT_EQ(Fastest({std::nullopt, StepTimes{1, 1}}), 1u);
  EXPECT_EQ(Fastest({std::nullopt}), std::nullopt);
}

TEST(Benchmarking, HasToPayAtEachBucketForItself) {
  EXPECT_THAT(WorthBenchmarking({64, 32, 1}, {10, 9, 1}, {9.9, 5, 0.89}), ElementsAre(32, 1));
  EXPECT_THAT(WorthBenchmarking({64, 32}, {10, 9}, {9.1, 12}), ElementsAre());
}

TEST(CompletionEstimate, FollowsAFasterStepAtOnceAndASlowerOneSlowly) {
  CompletionEstimate estimate;
  EXPECT_EQ(estimate.expected(), Duration::zero());
  estimate.Observe(microseconds(1600));
  EXPECT_EQ(estimate.expected(), microseconds(1600));
  estimate.Observe(microseconds(800));
  EXPECT_EQ(estimate.expected(), microseconds(800));
  estimate.Observe(microseconds(2400));
  EXPECT_EQ(estimate.expected(), microseconds(900));
}

TEST(CompletionEstimate, ComesDownFromATimeThatItsOwnSleepKeepsAlive) {
  CompletionEstimate estimate;
  estimate.Observe(microseconds(6000));
  // Steps take 4000, and are found done when the sleep ends.
  for (int step = 0; step < 16; ++step) estimate.ObserveLate(estimate.expected());
  EXPECT_LT(estimate.expected(), microseconds(4000));
}

WorkerStage TwoInputsTwoOutputs() {
  WorkerStage stage;
  stage.inputs = {{.name = "image", .datatype = Datatype::kUint8, .shape = {5}},
                  {.name = "scale", .datatype = Datatype::kFp32, .shape = {}}};
  stage.outputs = {{.name = "p", .datatype = Datatype::kFp32, .shape = {3}},
                   {.name = "bits", .datatype = Datatype::kBool, .shape = {7}}};
  return stage;
}

TEST(PackedBlock, PutsEachInputOnSixteenBytes) {
  const BlockLayout three = InputBlock(TwoInputsTwoOutputs(), 3);
  EXPECT_THAT(three.offsets, ElementsAre(0, 16));  // 15 bytes, then 12
  EXPECT_EQ(three.bytes, 32u);
  const BlockLayout four = InputBlock(TwoInputsTwoOutputs(), 4);
  EXPECT_THAT(four.offsets, ElementsAre(0, 32));  // 20 bytes, then 16
  EXPECT_EQ(four.bytes, 48u);
}

TEST(PackedBlock, PutsTheScoresBeforeTheOutputs) {
  const BlockLayout block = OutputBlock(TwoInputsTwoOutputs(), 5);
  EXPECT_THAT(block.offsets, ElementsAre(0, 32, 96));  // 20 bytes, 60, 35
  EXPECT_EQ(block.bytes, 144u);
}

class VariantCacheTest : public testing::Test {
 protected:
  VariantCacheTest() {
    key_.model_hash = 0xfedcba9876543210;
    key_.inputs = "UINT8 [N,4]";
    key_.buckets = {1, 4};
    key_.device = "a GPU";
    key_.libraries = "torch 1";
  }

  void Overwrite(const std::string& text) { std::ofstream(cache_.FileOf(key_)) << text; }

  const TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
  VariantCache cache_{CacheFolder(folder_ / "made" / "on demand")};
  GpuChoiceKey key_;
  const GpuChoice choice_ = {.variant = {.rewriting = Rewriting::kOptimized, .channels_last = true},
                             .benchmarked = {64, 1},
                             .graph = false,
                             .eager_reason = "it \"waits\""};
};

TEST_F(VariantCacheTest, FindsWhatWasStored) {
  EXPECT_TRUE(absl::IsNotFound(cache_.Find(key_).status()));
  ASSERT_TRUE(cache_.Store(key_, choice_).ok());
  EXPECT_EQ(cache_.Find(key_).value(), choice_);
  ASSERT_TRUE(cache_.Store(key_, GpuChoice{}).ok());
  EXPECT_EQ(cache_.Find(key_).value(), GpuChoice{});
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ / "made" / "on demand"),
                          std::filesystem::directory_iterator()),
            1)
      << "an unfinished file was left";
}

TEST_F(VariantCacheTest, AnyDifferenceIsAnotherKey) {
  ASSERT_TRUE(cache_.Store(key_, choice_).ok());
  const auto expect_unknown = [&](const GpuChoiceKey& key) {
    EXPECT_TRUE(absl::IsNotFound(cache_.Find(key).status()));
  };
  GpuChoiceKey other = key_;
  other.model_hash ^= 1;
  expect_unknown(other);
  other = key_;
  other.probes ^= 1;
  expect_unknown(other);
  other = key_;
  other.device = "another";
  expect_unknown(other);
  other = key_;
  other.options.precision = Precision::kFp16;
  expect_unknown(other);
  other = key_;
  other.options.layout = MemoryLayout::kChannelsLast;
  expect_unknown(other);
  other = key_;
  other.options.execution = Execution::kGraph;
  expect_unknown(other);
  other = key_;
  other.buckets = {1, 8};
  expect_unknown(other);
  other = key_;
  other.libraries = "torch 2";
  expect_unknown(other);
}

TEST_F(VariantCacheTest, RefusesAFileThatItDidNotWrite) {
  ASSERT_TRUE(cache_.Store(key_, choice_).ok());
  std::string written;
  std::getline(std::ifstream(cache_.FileOf(key_)), written, '\0');
  for (const std::string& text :
       {std::string("{"), std::string("[]"), std::string("{}"), written.substr(0, 40),
        std::string(written).replace(written.find("a GPU"), 5, "b GPU"),
        std::string(written).replace(written.find("optimized"), 9, "optimised"),
        std::string(written).replace(written.find("false"), 5, "12345"),
        std::string(written).replace(written.find("64"), 2, "{}")}) {
    Overwrite(text);
    const absl::Status status = cache_.Find(key_).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text << "\n" << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(cache_.FileOf(key_).string()));
  }
  ASSERT_TRUE(cache_.Store(key_, choice_).ok());
  EXPECT_EQ(cache_.Find(key_).value(), choice_);
}

TEST_F(VariantCacheTest, SaysWhyAChoiceCannotBeKept) {
  std::ofstream(folder_ / "made") << "a file";
  const absl::Status status = cache_.Store(key_, choice_);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot make"));
}

TEST_F(VariantCacheTest, LetsOneProcessTryAndTheOthersTakeWhatItFound) {
  UniqueFd first = cache_.Reserve(key_);
  ASSERT_TRUE(first);
  std::promise<void> begun;
  std::thread second([&] {
    begun.set_value();
    const UniqueFd reserved = cache_.Reserve(key_);
    EXPECT_TRUE(reserved);
    EXPECT_EQ(cache_.Find(key_).value(), choice_);
  });
  begun.get_future().wait();
  ASSERT_TRUE(cache_.Store(key_, choice_).ok());
  first = UniqueFd();
  second.join();
}

TEST_F(VariantCacheTest, KeepsNothingWithoutAFolder) {
  const VariantCache none(CacheFolder(""));
  EXPECT_TRUE(none.Store(key_, choice_).ok());
  EXPECT_TRUE(absl::IsNotFound(none.Find(key_).status()));
}

}  // namespace
}  // namespace escan
