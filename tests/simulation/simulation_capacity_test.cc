// Throughput and waiting against what queueing theory or a few lines of arithmetic say.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "allocation/prediction.h"
#include "simulation/system_under_test.h"

namespace escan {
namespace {

using std::chrono::milliseconds;

double ToSeconds(Duration duration) { return Seconds(duration).count(); }

constexpr int kManyClients = 256;

double SaturatedRate(const SystemUnderTest& system, const std::vector<double>& exit_ratios) {
  return system
      .Run({.pace = ClosedLoad{.concurrency = kManyClients},
            .samples = 100'000,
            .warmup_samples = 2'000,
            .exits = ExitRatios(exit_ratios)})
      .samples_per_second;
}

class SingleServer : public testing::TestWithParam<double> {};

TEST_P(SingleServer, WaitsAsLongAsTheFormulaOfPollaczekAndKhinchinSays) {
  SystemUnderTest system({milliseconds(2)}, 1);
  system.AddWorkers({.stages = {0}});
  const double service = 2e-3;
  const double load = GetParam();
  const SimulationReport report = system.Run({.pace = OpenLoad{.rate = load / service},
                                              .samples = 400'000,
                                              .warmup_samples = 10'000,
                                              .exits = ExitRatios({})});
  const double wait = load * service / (2 * (1 - load));
  EXPECT_NEAR((ToSeconds(report.latency.mean) - service) / wait, 1, 0.03);
  EXPECT_NEAR(report.group_utilisation[0], load, 0.01);
  EXPECT_NEAR(report.samples_per_second, load / service, 0.01 * load / service);
}

INSTANTIATE_TEST_SUITE_P(AtLoad, SingleServer, testing::Values(0.3, 0.6, 0.8));

// The latencies of c servers with one queue, each request going to the one that is free first.
LatencySummary ServeInOrder(int servers, Duration service, double rate, int64_t requests) {
  ArrivalSchedule schedule(Arrivals::kPoisson, rate, 1);
  std::vector<Duration> free(static_cast<size_t>(servers), Duration::zero());
  std::vector<Duration> latencies;
  for (int64_t i = 0; i < requests; ++i) {
    const Duration sent = schedule.Next();
    Duration& server = *std::ranges::min_element(free);
    server = std::max(server, sent) + service;
    latencies.push_back(server - sent);
  }
  return Summarize(latencies);
}

TEST(Replicas, ServeEachRequestWhenServersWithOneQueueWould) {
  for (const int count : {1, 2, 5}) {
    SystemUnderTest system({milliseconds(2)}, 1);
    system.AddWorkers({.count = count, .stages = {0}});
    const double rate = 0.9 * count / 2e-3;
    const SimulationReport report =
        system.Run({.pace = OpenLoad{.rate = rate}, .samples = 100'000, .exits = ExitRatios({})});
    EXPECT_EQ(report.latency, ServeInOrder(count, milliseconds(2), rate, 100'000));
  }
}

TEST(Capacity, OfOneWorkerIsTheRowsOfABatchPerStep) {
  SystemUnderTest system({milliseconds(4)}, 8);
  system.AddWorkers({.stages = {0}});
  EXPECT_NEAR(SaturatedRate(system, {}), 2000, 20);
}

TEST(Capacity, OfOneWorkerForAllStagesIsOneOverTheSumOfTheirShares) {
  SystemUnderTest system({milliseconds(4), milliseconds(16)}, 8);
  system.AddWorkers({.stages = {0, 1}});
  EXPECT_NEAR(SaturatedRate(system, {0.75}), 8 / (4e-3 + 0.25 * 16e-3), 10);
}

TEST(Capacity, WithoutRegroupingEveryBatchWithSurvivorsTakesTheNextStepAlone) {
  SystemUnderTest system({milliseconds(4), milliseconds(16)}, 8);
  system.AddWorkers({.stages = {0, 1}});
  system.plan.options.regroup = false;
  const double with_survivors = 1 - std::pow(0.75, 8);
  EXPECT_NEAR(SaturatedRate(system, {0.75}), 8 / (4e-3 + with_survivors * 16e-3), 5);
}

TEST(Capacity, OfAPipelineIsThatOfItsSlowerStage) {
  SystemUnderTest system({milliseconds(4), milliseconds(12)}, 8);
  system.AddWorkers({.stages = {0}}).AddWorkers({.stages = {1}});
  EXPECT_NEAR(SaturatedRate(system, {0.75}), 8 / 4e-3, 20);
  EXPECT_NEAR(SaturatedRate(system, {0.25}), 8 / (0.75 * 12e-3), 10);
}

TEST(Capacity, OfAllStagesInParallelIsThatOfTheSlowestStageWhateverTheExits) {
  SystemUnderTest system({milliseconds(4), milliseconds(12)}, 8);
  system.AddWorkers({.stages = {0}}).AddWorkers({.stages = {1}}).Speculate();
  system.plan.options.cancel = CancelPolicy::kNever;
  system.cascade.slots = 512;
  EXPECT_NEAR(SaturatedRate(system, {0.1}), 8 / 12e-3, 7);
}

TEST(Capacity, OfReplicasIsBoundedByTheDevice) {
  SystemUnderTest system({milliseconds(4)}, 8);
  system.AddWorkers({.count = 2, .stages = {0}});
  EXPECT_NEAR(SaturatedRate(system, {}), 2 * 8 / 4e-3, 40);
  // With d = 0.6 the sum is 1.2: (1 + 1.2^4 - 0.6^4)^(1/4) = 1.309889 times slower.
  system.PutLoad(0.6);
  EXPECT_NEAR(SaturatedRate(system, {}), 2 * 8 / 4e-3 / 1.309889, 32);
  // On two devices each runs alone.
  system.plan.workers.clear();
  system.AddWorkers({.device = 0, .stages = {0}}).AddWorkers({.device = 1, .stages = {0}});
  EXPECT_NEAR(SaturatedRate(system, {}), 2 * 8 / 4e-3, 40);
}

// By the model, but for the part of the time that it leaves workers idle.
TEST(Capacity, OfEqualClientsIsThatOfTheModel) {
  for (const double knee : {1.0, 2.0, 6.0}) {
    for (const int count : {1, 2, 3, 8}) {
      SystemUnderTest system({milliseconds(4)}, 8);
      system.profile.knee = knee;
      system.AddWorkers({.count = count, .stages = {0}}).PutLoad(0.5);
      const Prediction predicted =
          Predict(StepCosts(system.profile), {.exit_ratios = {1}}, system.plan);
      const double all_busy = std::pow(std::pow(count * 8 / 4e-3, -knee) +
                                           std::pow(predicted.capacity.felt_device_bound(), -knee),
                                       -1 / knee);
      EXPECT_NEAR(SaturatedRate(system, {}) / all_busy, 1, 0.01) << count << " knee " << knee;
      EXPECT_NEAR(predicted.capacity.rate / all_busy, 0.975, 0.026) << count << " knee " << knee;
    }
  }
}

TEST(Capacity, OfAWorkerThatAlwaysHasABatchWaitingFollowsFromItsSteadySteps) {
  SystemUnderTest system({milliseconds(4)}, 8);
  system.profile.stages[0].steady_step = {{Seconds(3e-3)}};
  system.AddWorkers({.credits = 2, .stages = {0}});
  EXPECT_NEAR(SaturatedRate(system, {}), 8 / 3e-3, 20);
  system.plan.workers[0].credits = 1;
  EXPECT_NEAR(SaturatedRate(system, {}), 8 / 4e-3, 20);
}

TEST(Capacity, FollowsSharesAndTheNumberOfClients) {
  SystemUnderTest system({milliseconds(4)}, 8);
  system.profile.thread_percents = {50, 100};
  system.profile.client_counts = {1, 2};
  StageCosts& costs = system.profile.stages[0];
  costs.step = {{Seconds(8e-3)}, {Seconds(4e-3)}};
  costs.steady_step = costs.step;
  costs.device_time = {{{Seconds(0)}, {Seconds(8e-3)}}, {{Seconds(0)}, {Seconds(0)}}};
  system.AddWorkers({.thread_percent = 50, .stages = {0}});
  EXPECT_NEAR(SaturatedRate(system, {}), 8 / 8e-3, 10);
  // Two clients put the load 1 each, and take turns.
  system.plan.workers[0].count = 2;
  EXPECT_NEAR(SaturatedRate(system, {}), 8 / 8e-3, 12);
}

TEST(ClosedLoop, ObeysLittlesLaw) {
  SystemUnderTest system({milliseconds(3), milliseconds(5)}, 8);
  system.AddWorkers({.count = 2, .credits = 2, .stages = {0, 1}}).PutLoad(0.4);
  const SimulationReport report = system.Run({.pace = ClosedLoad{.concurrency = 40},
                                              .samples = 200'000,
                                              .warmup_samples = 1'000,
                                              .exits = ExitRatios({0.5})});
  EXPECT_NEAR(report.samples_per_second * ToSeconds(report.latency.mean), 40, 0.1);
}

}  // namespace
}  // namespace escan
