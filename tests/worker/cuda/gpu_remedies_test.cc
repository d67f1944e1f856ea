#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "worker/cuda/gpu_choice.h"

namespace escan {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::SizeIs;

// A stage on a GPU whose answers are right for some choices, and whose steps take a known time.
class FakeStage : public ChoiceTrials {
 public:
  FakeStage(std::function<bool(const GpuChoice&)> is_right,
            std::function<double(const GpuChoice&)> seconds)
      : is_right_(std::move(is_right)), seconds_(std::move(seconds)) {}

  absl::Status Build(const GpuChoice& choice) override {
    built_.push_back(choice);
    return choice.blas.cublaslt ? failure_ : absl::OkStatus();
  }
  absl::StatusOr<std::string> WhatIsWrong() override {
    return std::string(is_right_(built_.back()) ? "" : "row 3: 0.98 where 0.02 is right");
  }
  absl::StatusOr<StepTimes> Time() override {
    const double seconds = seconds_(built_.back());
    return StepTimes{.smallest = seconds, .largest = 8 * seconds};
  }
  absl::StatusOr<std::string> BuildToServe(const GpuChoice& choice) override {
    served_ = choice;
    if (choice == wrong_later_) return std::string("row 3: 0.98 where 0.02 is right");
    return std::string(is_right_(choice) ? "" : "row 3: 0.98 where 0.02 is right");
  }

  // Right when it is tried, wrong when it is to serve.
  void AnswerWronglyLater(const GpuChoice& choice) { wrong_later_ = choice; }
  const std::optional<GpuChoice>& served() const { return served_; }
  void FailWithCublasLt(absl::Status failure) { failure_ = std::move(failure); }
  const std::vector<GpuChoice>& built() const { return built_; }

 private:
  const std::function<bool(const GpuChoice&)> is_right_;
  const std::function<double(const GpuChoice&)> seconds_;
  absl::Status failure_;
  std::vector<GpuChoice> built_;
  std::optional<GpuChoice> wrong_later_;
  std::optional<GpuChoice> served_;
};

RemedyContext Half(int multiprocessors, bool has_convolutions = false) {
  return {.multiprocessors = multiprocessors,
          .traits = {.has_convolutions = has_convolutions},
          .buckets = {1, 4},
          .options = {.precision = Precision::kFp16}};
}

double FewerAreSlower(const GpuChoice& choice) {
  return 1.0 / (choice.blas.multiprocessors == 0 ? 132 : choice.blas.multiprocessors);
}

TEST(Remedies, BeginWithPlansForFewerMultiprocessorsThanThereAre) {
  const auto tiers = Remedies(GpuChoice{}, Half(38));
  std::vector<int> planned;
  for (const GpuChoice& choice : tiers.front()) planned.push_back(choice.blas.multiprocessors);
  EXPECT_THAT(planned, ElementsAre(32, 24, 16, 8));
}

TEST(Remedies, ChangeOneThingOfTheWrongChoiceAtATime) {
  const GpuChoice wrong{.variant = {.rewriting = Rewriting::kFused, .channels_last = true},
                        .benchmarked = {4}};
  const auto tiers = Remedies(wrong, Half(98, true));
  for (const GpuChoice& choice : tiers.front()) {
    EXPECT_EQ(choice.variant, wrong.variant);
    EXPECT_EQ(choice.benchmarked, wrong.benchmarked);
  }
}

TEST(Remedies, LeaveCudnnAloneWithoutConvolutions) {
  for (const auto& tier : Remedies(GpuChoice{}, Half(98))) {
    EXPECT_THAT(tier, Each(Field(&GpuChoice::cudnn, true)));
    EXPECT_THAT(tier, Each(Field(&GpuChoice::benchmarked, SizeIs(0))));
  }
}

TEST(Remedies, EndInFp32OnlyWhereThatIsAllowed) {
  const auto any_fp32 = [](const std::vector<std::vector<GpuChoice>>& tiers) {
    for (const auto& tier : tiers) {
      for (const GpuChoice& choice : tier) {
        if (choice.fp32) return true;
      }
    }
    return false;
  };
  RemedyContext context = Half(98);
  EXPECT_FALSE(any_fp32(Remedies(GpuChoice{}, context)));
  context.options.fp32_fallback = true;
  EXPECT_TRUE(any_fp32(Remedies(GpuChoice{}, context)));
  EXPECT_TRUE(Remedies(GpuChoice{}, context).back().front().fp32);
}

TEST(Remedies, RunEagerOnlyWhereNoGraphWasAskedFor) {
  RemedyContext context = Half(98);
  context.options.execution = Execution::kGraph;
  for (const auto& tier : Remedies(GpuChoice{}, context)) {
    EXPECT_THAT(tier, Each(Field(&GpuChoice::graph, true)));
  }
}

TEST(FindRightChoice, TakesTheFastestRightOneOfTheFirstTierThatHasOne) {
  FakeStage stage([](const GpuChoice& choice) { return choice.blas.multiprocessors <= 24; },
                  FewerAreSlower);
  const auto tiers = Remedies(GpuChoice{}, Half(98));
  const absl::StatusOr<GpuChoice> found = FindRightChoice(tiers, &stage);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->blas.multiprocessors, 24);
  EXPECT_THAT(stage.built(), SizeIs(tiers.front().size())) << "later tiers were tried";
}

TEST(FindRightChoice, PreparesTheStageToServeSo) {
  FakeStage stage([](const GpuChoice& choice) { return choice.blas.multiprocessors <= 24; },
                  FewerAreSlower);
  const absl::StatusOr<GpuChoice> found = FindRightChoice(Remedies(GpuChoice{}, Half(98)), &stage);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(stage.served(), *found);
}

TEST(FindRightChoice, TakesTheNextFastestWhereTheFastestIsWrongWhenItIsToServe) {
  FakeStage stage([](const GpuChoice& choice) { return choice.blas.multiprocessors <= 24; },
                  FewerAreSlower);
  const auto tiers = Remedies(GpuChoice{}, Half(98));
  GpuChoice fastest;
  fastest.blas.multiprocessors = 24;
  stage.AnswerWronglyLater(fastest);
  const absl::StatusOr<GpuChoice> found = FindRightChoice(tiers, &stage);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->blas.multiprocessors, 16);
  EXPECT_EQ(stage.served(), *found);
}

TEST(FindRightChoice, GoesOnToTheNextTierWhereAllOfOneAreWrong) {
  FakeStage stage(
      [](const GpuChoice& choice) { return choice.variant.rewriting == Rewriting::kOptimized; },
      FewerAreSlower);
  const absl::StatusOr<GpuChoice> found = FindRightChoice(Remedies(GpuChoice{}, Half(98)), &stage);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->variant.rewriting, Rewriting::kOptimized);
  EXPECT_EQ(found->blas.multiprocessors, 0);
}

TEST(FindRightChoice, LeavesOutWhatCannotBeBuilt) {
  FakeStage stage([](const GpuChoice& choice) { return !choice.graph; }, FewerAreSlower);
  stage.FailWithCublasLt(absl::InternalError("no such library"));
  const absl::StatusOr<GpuChoice> found = FindRightChoice(Remedies(GpuChoice{}, Half(98)), &stage);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_FALSE(found->graph);
}

TEST(FindRightChoice, EndsWhenTheDeviceIsInError) {
  FakeStage stage([](const GpuChoice& choice) { return !choice.graph; }, FewerAreSlower);
  stage.FailWithCublasLt(absl::AbortedError("the device is in error"));
  EXPECT_TRUE(absl::IsAborted(FindRightChoice(Remedies(GpuChoice{}, Half(98)), &stage).status()));
}

TEST(FindRightChoice, DoesNotSayThatNoneIsRightWhereOneFoundNoMemory) {
  FakeStage stage([](const GpuChoice&) { return false; }, FewerAreSlower);
  stage.FailWithCublasLt(absl::ResourceExhaustedError("out of memory"));
  EXPECT_TRUE(
      absl::IsResourceExhausted(FindRightChoice(Remedies(GpuChoice{}, Half(98)), &stage).status()));
}

TEST(FindRightChoice, SaysWhenNoneIsRight) {
  FakeStage stage([](const GpuChoice&) { return false; }, FewerAreSlower);
  EXPECT_TRUE(
      absl::IsNotFound(FindRightChoice(Remedies(GpuChoice{}, Half(98, true)), &stage).status()));
}

TEST(GpuChoiceInWords, NamesWhatDiffersFromTheUsual) {
  EXPECT_EQ(Describe(GpuChoice{}), "frozen");
  EXPECT_EQ(Describe({.variant = {.rewriting = Rewriting::kFused, .channels_last = true},
                      .benchmarked = {1, 4},
                      .graph = false,
                      .blas = {.cublaslt = true, .multiprocessors = 32},
                      .cudnn = false,
                      .fp32 = true}),
            "fused+channels_last, in FP32, cuBLASLt, cuBLAS for 32 multiprocessors, without cuDNN, "
            "cuDNN measured at 1,4, eager");
}

}  // namespace
}  // namespace escan
