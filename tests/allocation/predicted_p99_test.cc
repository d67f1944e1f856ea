#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <vector>

#include "allocation/flat_profile.h"
#include "allocation/prediction.h"
#include "allocation/sample_plans.h"

namespace escan {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

TEST(Latency, OfALonelySampleIsThatOfItsSteps) {
  const Plan plan = PlanOf({{.stages = {0, 1, 2}}}, {16, 16, 16});
  Workload workload = HalfLeaves();
  workload.rate = 1e-9;
  const Prediction found = PredictOn(ThreeStages(), workload, plan);
  EXPECT_NEAR(found.p99.count(), 2 + 4 + 8, 1e-6);
  EXPECT_EQ(found.expected_batch, (std::vector<double>{1, 1, 1}));
}

TEST(Latency, LeavesOutStagesThatHardlyARequestGetsTo) {
  const Plan plan = PlanOf({{.stages = {0, 1, 2}}}, {16, 16, 16});
  Workload workload{.exit_ratios = {0.5, 0.999, 0}, .rate = 1e-9};
  EXPECT_NEAR(PredictOn(ThreeStages(), workload, plan).p99.count(), 2 + 4, 1e-6);
  // Of 20 samples one is enough.
  workload.rows_per_request = 20;
  EXPECT_GT(PredictOn(ThreeStages(), workload, plan).p99.count(), 2 + 4 + 8);
}

TEST(Latency, OfSpeculationIsThatOfTheSlowestStage) {
  Plan plan = PlanOf({{.stages = {0}}, {.stages = {1}}, {.stages = {2}}}, {16, 16, 16});
  plan.stages[1].speculate = plan.stages[2].speculate = true;
  plan.options.cancel = CancelPolicy::kNever;
  Workload workload = HalfLeaves();
  workload.rate = 1e-9;
  EXPECT_NEAR(PredictOn(ThreeStages(), workload, plan).p99.count(), 8, 1e-6);
}

TEST(Latency, OfBatchesThatStayTogetherIsOnePass) {
  Plan plan = PlanOf({{.stages = {0, 1, 2}}}, {16, 16, 16});
  plan.options.regroup = false;
  Workload workload = HalfLeaves();
  workload.rate = 1e-9;
  EXPECT_NEAR(PredictOn(ThreeStages(), workload, plan).p99.count(), 2 + 4 + 8, 1e-6);
}

TEST(Latency, CountsTheStepsThatALargeRequestTakes) {
  const Plan plan = PlanOf({{.stages = {0}}}, {16});
  const Workload workload{.exit_ratios = {0}, .rate = 1e-9, .rows_per_request = 40};
  Profile profile = ThreeStages();
  profile.stages.resize(1);
  EXPECT_NEAR(PredictOn(profile, workload, plan).p99.count(), 3 * 2, 1e-6);
}

TEST(Latency, HoldsTheDelayOfEachStage) {
  Plan plan = PlanOf({{.stages = {0, 1, 2}}}, {16, 16, 16});
  plan.stages[1].max_delay = std::chrono::seconds(3);
  Workload workload = HalfLeaves();
  workload.rate = 1e-9;
  EXPECT_NEAR(PredictOn(ThreeStages(), workload, plan).p99.count(), 2 + 4 + 8 + 3, 1e-6);
}

TEST(Latency, WithTwoCreditsIncludesTheBatchAheadAtTheWorker) {
  Plan plan = PlanOf({{.stages = {0}}}, {16});
  Profile profile = ThreeStages();
  profile.stages.resize(1);
  Workload workload{.exit_ratios = {0}, .rate = 4};  // the worker is always busy
  profile.stages[0].steady_step = profile.stages[0].step;
  const Seconds one = PredictOn(profile, workload, plan).p99;
  plan.workers[0].credits = 2;
  const Seconds step = profile.stages[0].step[0].back();
  EXPECT_NEAR((PredictOn(profile, workload, plan).p99 - one) / step, 1, 0.01);
}

TEST(Latency, GrowsWithWorkersThatCrowdTheDeviceWithSmallBatches) {
  const Profile profile = FlatProfile({{Seconds(1), Seconds(0.01), 0.9}});
  Workload workload{.exit_ratios = {0}, .rate = 4};
  const auto p99 = [&](int workers) {
    const Plan plan = PlanOf({{.count = workers, .stages = {0}}}, {16});
    return PredictOn(profile, workload, plan).p99;
  };
  EXPECT_GT(p99(12), 4 * p99(1));
}

TEST(Latency, HasNoBoundFromTheCapacityOn) {
  const Plan plan = PlanOf({{.stages = {0, 1, 2}}}, {16, 16, 16});
  Workload workload = HalfLeaves();
  workload.rate = PredictOn(ThreeStages(), workload, plan).capacity.rate;
  EXPECT_EQ(PredictOn(ThreeStages(), workload, plan).p99, Seconds(kInfinite));
}

TEST(Latency, BatchesAreSmallAtALowRateAndFullAtAHighOne) {
  const Profile profile = FlatProfile({{Seconds(1), Seconds(0.1), 0.01}});
  const Plan plan = PlanOf({{.stages = {0}}}, {16});
  std::vector<double> batches;
  for (const double part : {0.01, 0.4, 0.95}) {
    Workload workload{.exit_ratios = {0}};
    workload.rate = part * PredictOn(profile, workload, plan).capacity.rate;
    batches.push_back(PredictOn(profile, workload, plan).expected_batch[0]);
  }
  EXPECT_EQ(batches, (std::vector<double>{1, 4, 16}));
}

TEST(Latency, NeverFallsWhenTheRateGrows) {
  RandomPlans random;
  for (int round = 0; round < 1000; ++round) {
    const Profile profile = random.NextProfile();
    const Plan plan = random.NextPlan();
    Workload workload = random.NextWorkload();
    const double capacity = PredictOn(profile, workload, plan).capacity.rate;
    ASSERT_GT(capacity, 0);
    Seconds before{};
    for (double part = 0.02; part < 1.1; part += 0.02) {
      workload.rate = part * capacity;
      const Seconds p99 = PredictOn(profile, workload, plan).p99;
      ASSERT_GE(p99, before) << "round " << round << " at " << part;
      before = p99;
    }
  }
}

TEST(Goodput, IsTheHighestRateThatKeepsTheObjective) {
  RandomPlans random;
  for (int round = 0; round < 300; ++round) {
    const Profile profile = random.NextProfile();
    const Plan plan = random.NextPlan();
    Workload workload = random.NextWorkload();
    workload.objective = Seconds(60);
    const Prediction found = PredictOn(profile, workload, plan);
    ASSERT_LE(found.goodput, found.capacity.rate);
    if (found.goodput > 0) {
      workload.rate = found.goodput * (1 - 1e-8);
      EXPECT_LE(PredictOn(profile, workload, plan).p99, Seconds(60));
    }
    workload.rate = found.goodput * (1 + 1e-8) + 1e-9;
    EXPECT_GT(PredictOn(profile, workload, plan).p99, Seconds(60));
  }
}

TEST(Goodput, WithoutAnObjectiveIsTheCapacity) {
  const Plan plan = PlanOf({{.stages = {0, 1, 2}}}, {16, 16, 16});
  const Prediction found = PredictOn(ThreeStages(), HalfLeaves(), plan);
  EXPECT_EQ(found.goodput, found.capacity.rate);
}

TEST(Goodput, IsZeroWhenNoRateKeepsTheObjective) {
  Workload workload = HalfLeaves();
  workload.objective = Seconds(13);
  const Plan plan = PlanOf({{.stages = {0, 1, 2}}}, {16, 16, 16});
  EXPECT_EQ(PredictOn(ThreeStages(), workload, plan).goodput, 0);
}

}  // namespace
}  // namespace escan
