#include "allocation/prediction.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "allocation/flat_profile.h"
#include "allocation/memory.h"

namespace escan {
namespace {

constexpr double kBusy = 0.95;
constexpr double kInfinite = std::numeric_limits<double>::infinity();

// Steps of 16 rows take 2, 4 and 8 s and use a hundredth of the device.
Profile ThreeStages() {
  return FlatProfile({{Seconds(2), Seconds(0), 0.01},
                      {Seconds(4), Seconds(0), 0.01},
                      {Seconds(8), Seconds(0), 0.01}});
}

Workload HalfLeaves() { return {.exit_ratios = {0.5, 0.5, 0}}; }

Prediction PredictOn(const Profile& profile, const Workload& workload, const Plan& plan) {
  return Predict(StepCosts(profile), workload, plan);
}

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

// Plans of one to three groups on one or two devices, on profiles whose times need not grow.
class RandomPlans {
 public:
  Profile NextProfile() {
    Profile profile;
    profile.thread_percents = {30, 100};
    profile.client_counts = {1, 4};
    profile.padded = Between(0, 1) == 1;
    profile.knee = Between(1, 8);
    for (int i = 0; i < stages_; ++i) {
      StageCosts& stage = profile.stages.emplace_back();
      stage.buckets = {1, 3, 8};
      for (int share = 0; share < 2; ++share) {
        stage.step.push_back(Times());
        stage.steady_step.push_back(Times());
        stage.device_time.push_back({Times(), Times()});
      }
    }
    return profile;
  }

  Plan NextPlan() {
    Plan plan;
    for (int groups = Between(1, 3); groups > 0; --groups) {
      WorkerGroup& group = plan.workers.emplace_back();
      group = {.count = Between(1, 4),
               .device = Between(0, 1),
               .thread_percent = Between(20, 100),
               .credits = Between(1, 2)};
      for (int i = 0; i < stages_; ++i) {
        if (plan.workers.size() == 1 || Between(0, 1) == 1) group.stages.push_back(i);
      }
      if (group.stages.empty()) group.stages.push_back(0);
    }
    for (int i = 0; i < stages_; ++i) {
      plan.stages.push_back({.max_batch = Between(1, 8),
                             .max_delay = std::chrono::milliseconds(Between(0, 300)),
                             .speculate = i > 0 && Between(0, 2) == 0});
    }
    plan.options.regroup = Between(0, 2) > 0;
    if (!plan.options.regroup) {
      for (StagePolicy& policy : plan.stages) policy.speculate = false;
    }
    return plan;
  }

  Workload NextWorkload() {
    Workload workload{.rows_per_request = Between(1, 12)};
    for (int i = 0; i < stages_; ++i) workload.exit_ratios.push_back(Between(0, 4) / 4.0);
    return workload;
  }

 private:
  int Between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  std::vector<Seconds> Times() {
    return {Seconds(Between(1, 9)), Seconds(Between(1, 20)), Seconds(Between(1, 30))};
  }

  static constexpr int stages_ = 3;
  std::minstd_rand random_{3};
};

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
