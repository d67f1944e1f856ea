#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "allocation/flat_profile.h"
#include "allocation/memory.h"
#include "allocation/prediction.h"
#include "allocation/sample_plans.h"

namespace escan {
namespace {

constexpr double kBusy = 0.95;
constexpr double kInfinite = std::numeric_limits<double>::infinity();

TEST(Capacity, OfReplicasIsTheirTimeOverThatOfASample) {
  const Plan plan = PlanOf({{.count = 3, .stages = {0, 1, 2}}}, {16, 16, 16});
  const Prediction found = PredictOn(ThreeStages(), HalfLeaves(), plan);
  const double of_sample = (2 + 0.5 * 4 + 0.25 * 8) / 16;
  EXPECT_NEAR(found.capacity.worker_bound, 3 * kBusy / of_sample, 1e-9);
  EXPECT_NEAR(found.capacity.device_bound, 1 / (0.01 * of_sample), 1e-6);
  EXPECT_NEAR(found.capacity.rate, 3 * kBusy / of_sample, 1e-9);
  EXPECT_EQ(found.capacity.bus_bound, kInfinite);
  EXPECT_NEAR(found.division.busy[0], kBusy, 1e-9);
  EXPECT_EQ(found.bottleneck.kind, Bottleneck::Kind::kWorkers);
}

TEST(Capacity, OfAPipelineIsThatOfItsSlowestStage) {
  const Plan plan =
      PlanOf({{.stages = {0}}, {.stages = {1}}, {.count = 3, .stages = {2}}}, {16, 4, 16});
  const Prediction found = PredictOn(ThreeStages(), HalfLeaves(), plan);
  // Stage 1: 16 rows in 2 s of 1 worker; stage 2: 4 in 4 s of half of the samples.
  EXPECT_NEAR(found.capacity.rate, kBusy * 2, 1e-9);
  EXPECT_EQ(found.bottleneck.stage, 1);
  EXPECT_EQ(found.bottleneck.group, 1);
  EXPECT_NEAR(found.division.busy[0], kBusy * 2 * 2 / 16, 1e-9);
  EXPECT_NEAR(found.division.worker_pressure[1], 1, 1e-9);
}

TEST(Capacity, OfOverlappingClassesIsDividedAsSuitsThem) {
  // The second worker takes all of stage 2 and helps nowhere else.
  const Plan plan = PlanOf({{.stages = {0, 1}}, {.stages = {1}}}, {16, 16});
  Profile profile = ThreeStages();
  profile.stages.resize(2);
  const Prediction found = PredictOn(profile, {.exit_ratios = {0, 0}}, plan);
  // Stage 1 takes x 2/16 of worker 1, the rest of it does stage 2: 2 busy = rate (2 + 4) / 16.
  EXPECT_NEAR(found.capacity.rate, 2 * kBusy * 16 / 6, 1e-9);
}

TEST(Capacity, OfAllParallelRunsEverySampleEverywhere) {
  Plan plan = PlanOf({{.stages = {0}}, {.stages = {1}}, {.stages = {2}}}, {16, 16, 16});
  plan.stages[1].speculate = plan.stages[2].speculate = true;
  plan.options.cancel = CancelPolicy::kNever;
  const Prediction found = PredictOn(ThreeStages(), HalfLeaves(), plan);
  EXPECT_NEAR(found.capacity.rate, kBusy * 16 / 8, 1e-9);
}

TEST(Capacity, OfBatchesThatStayTogetherIsTheMeanPass) {
  Plan plan = PlanOf({{.stages = {0, 1, 2}}}, {2, 16, 16});
  plan.options.regroup = false;
  const Prediction found = PredictOn(ThreeStages(), HalfLeaves(), plan);
  // Of two samples at least one goes on with probability 3/4, and two stages with 7/16.
  EXPECT_NEAR(found.capacity.rate, kBusy * 2 / (2 + 0.75 * 4 + 7.0 / 16 * 8), 1e-9);
}

TEST(Capacity, OfSurvivorsThatExceedABatchTakesSeveralSteps) {
  Plan plan = PlanOf({{.stages = {0, 1}}}, {10, 4});
  plan.options.regroup = false;
  Profile profile = ThreeStages();
  profile.stages.resize(2);
  const Prediction found = PredictOn(profile, {.exit_ratios = {0, 0}}, plan);
  EXPECT_NEAR(found.capacity.rate, kBusy * 10 / (2 + 3 * 4), 1e-9);
}

TEST(Capacity, WithTwoCreditsIsThatOfAClientKeptBusy) {
  Profile profile = FlatProfile({{Seconds(2), Seconds(0), 0.5}});
  Plan plan = PlanOf({{.credits = 2, .stages = {0}}}, {16});
  const Prediction found = PredictOn(profile, {.exit_ratios = {0}}, plan);
  EXPECT_NEAR(found.capacity.worker_bound, kBusy * 16 / 1, 1e-9);
}

TEST(Capacity, IsBoundByTheDevice) {
  const Profile profile = FlatProfile({{Seconds(1), Seconds(0), 0.5}});
  const Plan plan = PlanOf({{.count = 12, .stages = {0}}}, {16});
  const Prediction found = PredictOn(profile, {.exit_ratios = {0}}, plan);
  EXPECT_NEAR(found.capacity.device_bound, 32, 1e-9);
  EXPECT_NEAR(found.capacity.rate, 32, 1e-3);
  EXPECT_EQ(found.bottleneck.kind, Bottleneck::Kind::kDevice);
}

TEST(Capacity, IsBoundByBothAroundTheKnee) {
  Profile profile = FlatProfile({{Seconds(1), Seconds(0), 0.5}});
  profile.knee = 4;
  const Plan plan = PlanOf({{.count = 2, .stages = {0}}}, {16});
  const Prediction found = PredictOn(profile, {.exit_ratios = {0}}, plan);
  const double felt = 1 - std::pow(2, -4);
  EXPECT_NEAR(found.capacity.rate,
              std::pow(std::pow(32 * kBusy, -4) + felt * std::pow(32, -4), -0.25), 1e-9);
}

TEST(Capacity, OfOneClientIsAllThatItsWorkerCanDo) {
  Profile profile = FlatProfile({{Seconds(1), Seconds(0), 1}});
  profile.knee = 2;
  const Plan plan = PlanOf({{.stages = {0}}}, {16});
  Workload workload{.exit_ratios = {0}, .rate = 8};
  const Prediction found = PredictOn(profile, workload, plan);
  EXPECT_NEAR(found.capacity.device_bound, 16, 1e-9);
  EXPECT_NEAR(found.capacity.rate, 16 * kBusy, 1e-9);
  EXPECT_EQ(found.bottleneck.kind, Bottleneck::Kind::kWorkers);
}

TEST(Capacity, OfSeveralDevicesIsBoundByTheOneThatMoreClientsShare) {
  const Profile profile = FlatProfile({{Seconds(1), Seconds(0), 1}, {Seconds(1), Seconds(0), 1}});
  const Plan plan =
      PlanOf({{.count = 1, .device = 0, .stages = {0}}, {.count = 9, .device = 1, .stages = {1}}},
             {16, 16});
  const Prediction found = PredictOn(profile, {.exit_ratios = {0.1, 0}}, plan);
  EXPECT_NEAR(found.capacity.device_bound, 16 / 0.9, 1e-9);
  EXPECT_EQ(found.division.busiest_device, 1);
  EXPECT_NEAR(found.capacity.rate, kBusy * 16, 1e-3);
}

TEST(Capacity, IsBoundByTheBus) {
  Profile profile = ThreeStages();
  profile.bus_bytes_per_second = 100;
  profile.stages[0].input_bytes = 40;
  profile.stages[2].input_bytes = 40;
  const Plan plan = PlanOf({{.count = 3, .stages = {0, 1, 2}}}, {16, 16, 16});
  const Prediction found = PredictOn(profile, HalfLeaves(), plan);
  EXPECT_NEAR(found.capacity.bus_bound, 100 / (40 + 0.25 * 40), 1e-9);
  EXPECT_NEAR(found.capacity.rate, 2, 1e-6);
  EXPECT_EQ(found.bottleneck.kind, Bottleneck::Kind::kBus);
}

TEST(Capacity, OfSeveralDevicesIsBoundByTheScarcest) {
  const Profile profile = FlatProfile({{Seconds(1), Seconds(0), 0.2}, {Seconds(1), Seconds(0), 1}});
  const Plan plan =
      PlanOf({{.count = 9, .device = 0, .stages = {0}}, {.count = 9, .device = 1, .stages = {1}}},
             {16, 16});
  const Prediction found = PredictOn(profile, {.exit_ratios = {0, 0}}, plan);
  EXPECT_NEAR(found.capacity.device_bound, 16, 1e-9);
  EXPECT_EQ(found.bottleneck.kind, Bottleneck::Kind::kDevice);
  EXPECT_EQ(found.bottleneck.device, 1);
  EXPECT_EQ(found.bottleneck.stage, 1);
}

TEST(Capacity, DoublesWithASecondDevice) {
  const Profile profile = FlatProfile({{Seconds(1), Seconds(0), 0.4}});
  const Plan one = PlanOf({{.count = 3, .stages = {0}}}, {16});
  Plan two = one;
  two.workers.push_back({.count = 3, .device = 1, .stages = {0}});
  const Workload workload{.exit_ratios = {0}};
  EXPECT_NEAR(PredictOn(profile, workload, two).capacity.rate,
              2 * PredictOn(profile, workload, one).capacity.rate, 1e-9);
}

TEST(Capacity, IgnoresAStageThatNoSampleReaches) {
  const Plan plan = PlanOf({{.stages = {0, 1, 2}}}, {16, 16, 16});
  const Workload workload{.exit_ratios = {1, 0.5, 0}, .rate = 1};
  const Prediction found = PredictOn(ThreeStages(), workload, plan);
  EXPECT_NEAR(found.capacity.rate, kBusy * 16 / 2, 1e-9);
  EXPECT_LT(found.p99, Seconds(kInfinite));
}

TEST(Division, BusyWorkersAndPressureAddUp) {
  RandomPlans random;
  for (int round = 0; round < 1000; ++round) {
    const Profile profile = random.NextProfile();
    const Plan plan = random.NextPlan();
    const Prediction found = PredictOn(profile, random.NextWorkload(), plan);
    const WorkDivision& division = found.division;
    const auto sum = [](const std::vector<double>& parts) {
      return std::accumulate(parts.begin(), parts.end(), 0.0);
    };
    EXPECT_NEAR(sum(division.worker_pressure), 1, 1e-9);
    EXPECT_NEAR(sum(division.device_pressure), 1, 1e-9);
    for (const double busy : division.busy) EXPECT_LE(busy, kBusy + 1e-9);
    EXPECT_NEAR(division.busy[static_cast<size_t>(found.bottleneck.group)], kBusy, 1e-9);
  }
}

TEST(Memory, IsThatOfAllWorkersAndOfTheLargestAgain) {
  Profile profile = ThreeStages();
  profile.context_bytes = 100;
  profile.stages[0].memory_bytes = 1;
  profile.stages[1].memory_bytes = 10;
  profile.stages[2].memory_bytes = 50;
  const Plan plan =
      PlanOf({{.count = 2, .stages = {0, 1}}, {.device = 1, .stages = {2}}}, {1, 1, 1});
  EXPECT_EQ(DeviceMemory(profile, plan, 0), 3u * 111);
  EXPECT_EQ(DeviceMemory(profile, plan, 1), 2u * 150);
  EXPECT_EQ(PredictOn(profile, HalfLeaves(), plan).memory_bytes, 333u);
  profile.device_memory_bytes = 370;
  EXPECT_TRUE(Fits(profile, 333));
  EXPECT_FALSE(Fits(profile, 334));
}

}  // namespace
}  // namespace escan
