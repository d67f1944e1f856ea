#include "simulation/simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "simulation/system_under_test.h"

namespace escan {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

SystemUnderTest ThreeStages() {
  return SystemUnderTest({milliseconds(1), milliseconds(2), milliseconds(5)}, 8);
}

struct NamedSystem {
  std::string name;
  SystemUnderTest system;
};

// The known strategies, and one mixture.
std::vector<NamedSystem> Strategies() {
  SystemUnderTest sequential = ThreeStages();
  sequential.AddWorkers({.stages = {0, 1, 2}}).plan.options.regroup = false;
  SystemUnderTest pipeline = ThreeStages();
  for (int stage = 0; stage < 3; ++stage) pipeline.AddWorkers({.credits = 2, .stages = {stage}});
  SystemUnderTest all_parallel = pipeline;
  all_parallel.Speculate().plan.options.cancel = CancelPolicy::kNever;
  SystemUnderTest replicas = ThreeStages();
  replicas.AddWorkers({.count = 4, .stages = {0, 1, 2}});
  SystemUnderTest mixture = ThreeStages();
  mixture.AddWorkers({.count = 2, .credits = 2, .stages = {0, 1}})
      .AddWorkers({.device = 1, .stages = {1, 2}});
  mixture.plan.stages[1].speculate = true;
  mixture.plan.stages[2].max_delay = milliseconds(3);
  std::vector<NamedSystem> strategies = {{"Sequential", sequential},
                                         {"Pipeline", pipeline},
                                         {"AllParallel", all_parallel},
                                         {"Replicas", replicas},
                                         {"Mixture", mixture}};
  for (NamedSystem& strategy : strategies) strategy.system.PutLoad(0.3);
  return strategies;
}

class Strategy : public testing::TestWithParam<NamedSystem> {
 protected:
  const SystemUnderTest& system() const { return GetParam().system; }

  static SimulatedLoad Load() {
    return {.pace = OpenLoad{.rate = 200},
            .rows = 2,
            .samples = 40'000,
            .exits = ExitRatios({0.6, 0.3})};
  }

  static std::vector<int64_t> Exits(const SimulationReport& report) {
    std::vector<int64_t> exits;
    for (const StageFigures& stage : report.stages) exits.push_back(stage.exits);
    return exits;
  }
};

TEST_P(Strategy, ServesEveryRequestOnce) {
  const SimulationReport report = system().Run(Load());
  EXPECT_EQ(report.requests, (RequestFigures{.sent = 20'000, .served = 20'000}));
  EXPECT_EQ(report.samples, 40'000);
  const std::vector<int64_t> exits = Exits(report);
  EXPECT_EQ(std::accumulate(exits.begin(), exits.end(), int64_t{0}), 40'000);
}

TEST_P(Strategy, LetsTheSamplesThatOthersLetLeaveAtAStage) {
  const SimulationReport sequential = Strategies().front().system.Run(Load());
  EXPECT_EQ(Exits(system().Run(Load())), Exits(sequential));
}

TEST_P(Strategy, KeepsToTheExitRatios) {
  const std::vector<int64_t> exits = Exits(system().Run(Load()));
  EXPECT_NEAR(static_cast<double>(exits[0]) / 40'000, 0.6, 0.01);
  EXPECT_NEAR(static_cast<double>(exits[1]) / 40'000, 0.4 * 0.3, 0.01);
  EXPECT_NEAR(static_cast<double>(exits[2]) / 40'000, 0.4 * 0.7, 0.01);
}

TEST_P(Strategy, GivesEqualReportsForEqualSeeds) {
  SimulatedLoad load = Load();
  const SimulationReport first = system().Run(load);
  EXPECT_EQ(system().Run(load), first);
  load.seed = 2;
  EXPECT_NE(system().Run(load).latency, first.latency);
}

TEST_P(Strategy, AccountsForEveryRequestUnderOverload) {
  SystemUnderTest overloaded = system();
  overloaded.cascade.slots = 100;
  overloaded.cascade.deadline = milliseconds(30);
  SimulatedLoad load = Load();
  load.pace = OpenLoad{.rate = 20'000};
  const SimulationReport report = overloaded.Run(load);
  const RequestFigures& requests = report.requests;
  EXPECT_EQ(requests.sent, 20'000);
  EXPECT_EQ(requests.served + requests.refused + requests.deadline_exceeded, requests.sent);
  EXPECT_GT(requests.served, 0);
  EXPECT_GT(requests.refused, 0);
  EXPECT_EQ(report.samples, 2 * requests.served);
}

INSTANTIATE_TEST_SUITE_P(Known, Strategy, testing::ValuesIn(Strategies()),
                         [](const auto& info) { return info.param.name; });

SystemUnderTest OneWorker(Duration step, int max_batch = 1) {
  SystemUnderTest system({step}, max_batch);
  system.AddWorkers({.stages = {0}});
  return system;
}

SimulatedLoad Constant(double rate, int64_t samples) {
  return {.pace = OpenLoad{.arrivals = Arrivals::kConstant, .rate = rate},
          .samples = samples,
          .exits = ExitRatios({})};
}

TEST(Simulate, RunsOnlyWhereSamplesHaveNotLeft) {
  SystemUnderTest system = ThreeStages();
  system.AddWorkers({.stages = {0, 1, 2}});
  SimulatedLoad load = Constant(100, 10'000);
  load.exits = ExitRatios({0.8, 0.5});
  const SimulationReport report = system.Run(load);
  EXPECT_EQ(report.stages[0].samples, 10'000);
  EXPECT_EQ(report.stages[1].samples, 10'000 - report.stages[0].exits);
  EXPECT_EQ(report.stages[2].samples, report.stages[1].samples - report.stages[1].exits);
}

TEST(Simulate, RunsAllCopiesWhereNoneIsCancelled) {
  SystemUnderTest system = ThreeStages();
  for (int stage = 0; stage < 3; ++stage) system.AddWorkers({.stages = {stage}});
  system.Speculate().plan.options.cancel = CancelPolicy::kNever;
  SimulatedLoad load = Constant(100, 10'000);
  load.exits = ExitRatios({0, 0});  // so that the last copy is the answer
  const SimulationReport report = system.Run(load);
  for (const StageFigures& stage : report.stages) EXPECT_EQ(stage.samples, 10'000);
}

TEST(Simulate, ExitRatiosMayChange) {
  SystemUnderTest system({milliseconds(1), milliseconds(1)}, 1);
  system.AddWorkers({.stages = {0, 1}});
  SimulatedLoad load = Constant(100, 30'000);  // 300 s
  load.exits = {{.ratios = {0}},
                {.start = seconds(100), .ratios = {1}},
                {.start = seconds(200), .ratios = {0.5}}};
  const SimulationReport report = system.Run(load);
  EXPECT_NEAR(static_cast<double>(report.stages[0].exits), 10'000 + 5'000, 200);
}

TEST(Simulate, RefusesWhatFindsNoSlot) {
  SystemUnderTest system = OneWorker(milliseconds(1));
  system.cascade.slots = 64;
  const SimulationReport report = system.Run(Constant(2000, 10'000));
  EXPECT_NEAR(static_cast<double>(report.requests.refused), 5'000, 100);
  EXPECT_EQ(report.requests.deadline_exceeded, 0);
  EXPECT_LE(report.latency.max, milliseconds(64));
  EXPECT_NEAR(report.samples_per_second, 1000, 10);
}

TEST(Simulate, AnswersWhatExceedsItsDeadline) {
  SystemUnderTest system = OneWorker(milliseconds(1));
  SimulatedLoad load = Constant(2000, 10'000);
  load.deadline = milliseconds(20);
  const SimulationReport report = system.Run(load);
  EXPECT_NEAR(static_cast<double>(report.requests.deadline_exceeded), 5'000, 100);
  EXPECT_EQ(report.requests.refused, 0);
  EXPECT_LE(report.latency.max, milliseconds(20) + microseconds(1100));  // a timer's tick more
}

TEST(Simulate, TheCascadesDeadlineHoldsWhereItIsShorter) {
  SystemUnderTest system = OneWorker(milliseconds(10));
  system.cascade.deadline = milliseconds(5);
  const SimulationReport report = system.Run(Constant(10, 100));
  EXPECT_EQ(report.requests.deadline_exceeded, 100);
  EXPECT_EQ(report.latency.max, Duration::zero());
}

TEST(Simulate, TheLatencyOfASampleIsThatOfItsRequest) {
  SimulatedLoad load = Constant(10, 400);
  load.rows = 4;
  const SimulationReport report = OneWorker(milliseconds(3)).Run(load);
  EXPECT_EQ(report.requests.served, 100);
  EXPECT_EQ(report.latency.p50, milliseconds(12));
  EXPECT_EQ(report.latency.max, milliseconds(12));
}

TEST(Simulate, GoodputCountsWhatKeepsTheObjective) {
  SystemUnderTest system = OneWorker(milliseconds(2));
  SimulatedLoad load = Constant(1, 1'000);
  load.pace = ClosedLoad{.concurrency = 3};  // each waits for the other two
  load.warmup_samples = 3;
  system.cascade.latency_objective = microseconds(5'999);
  EXPECT_EQ(system.Run(load).goodput_per_second, 0);
  system.cascade.latency_objective = milliseconds(6);
  const SimulationReport report = system.Run(load);
  EXPECT_EQ(report.goodput_per_second, report.samples_per_second);
}

TEST(Simulate, EndsWhereMoreIsLateThanItsLimit) {
  SystemUnderTest system({milliseconds(2)}, 1);
  system.AddWorkers({.stages = {0}});
  SimulatedLoad load{.pace = OpenLoad{.rate = 1'000}, .samples = 10'000, .exits = ExitRatios({})};
  EXPECT_EQ(system.Run(load).requests.sent, 10'000);
  load.late_limit = {.latency = milliseconds(10), .requests = 100};
  const SimulationReport late = system.Run(load);
  EXPECT_LT(late.requests.sent, 1'000);  // at twice what it can serve, 100 are soon late
  EXPECT_GT(late.requests.served, 100);
  EXPECT_GT(late.latency.max, milliseconds(10));
  system.cascade.deadline = milliseconds(10);
  const SimulationReport lost = system.Run(load);
  EXPECT_EQ(lost.requests.deadline_exceeded, 101);
  load.late_limit->requests = 10'000;
  EXPECT_EQ(system.Run(load).requests.sent, 10'000);
}

TEST(Simulate, LeavesTheWarmUpOut) {
  // All requests of the warm-up, which fill the queue, leave before the others come.
  SystemUnderTest system({milliseconds(1), milliseconds(100)}, 1);
  system.AddWorkers({.stages = {0, 1}});
  SimulatedLoad load = Constant(100, 5'000);
  load.warmup_samples = 100;
  load.exits = {{.ratios = {0}}, {.start = seconds(1), .ratios = {1}}};
  const SimulationReport report = system.Run(load);
  EXPECT_EQ(report.requests.sent, 5'000);
  EXPECT_EQ(report.stages[0].exits, 5'000);
  EXPECT_EQ(report.stages[1].exits, 0);
}

TEST(Simulate, AddsTheOverheadOfTheFrontEnd) {
  const SystemUnderTest system = OneWorker(milliseconds(2));
  SimulatedLoad load = Constant(100, 1'000);
  load.overhead = microseconds(150);
  const SimulationReport open = system.Run(load);
  EXPECT_EQ(open.latency.mean, microseconds(2'150));
  EXPECT_EQ(open.latency.max, microseconds(2'150));
  load.pace = ClosedLoad{.concurrency = 1};
  EXPECT_NEAR(system.Run(load).samples_per_second, 1 / 2.15e-3, 1e-3);
}

TEST(Simulate, AWorkerRunsOneOfItsBatchesAtATime) {
  SystemUnderTest system = OneWorker(milliseconds(4), 8);
  system.plan.workers[0].credits = 2;
  SimulatedLoad load = Constant(1, 80'000);
  load.pace = ClosedLoad{.concurrency = 64};
  const SimulationReport report = system.Run(load);
  EXPECT_NEAR(report.samples_per_second, 2000, 20);
  EXPECT_EQ(report.stages[0].mean_step, milliseconds(4));
  EXPECT_NEAR(report.group_utilisation[0], 1, 0.001);
}

TEST(Simulate, UtilisationIsPartOfTheHostsTime) {
  SystemUnderTest system({milliseconds(1), milliseconds(4)}, 1);
  system.AddWorkers({.count = 2, .stages = {0, 1}}).AddWorkers({.stages = {1}});
  SimulatedLoad load = Constant(100, 10'000);
  load.exits = ExitRatios({0.5});
  const SimulationReport report = system.Run(load);
  EXPECT_NEAR(report.stages[0].utilisation, 100 * 1e-3 / 2, 0.001);
  EXPECT_NEAR(report.stages[1].utilisation, 50 * 4e-3 / 3, 0.002);
  const double busy = 2 * report.group_utilisation[0] + report.group_utilisation[1];
  EXPECT_NEAR(busy, 100 * 1e-3 + 50 * 4e-3, 0.004);
}

TEST(Simulate, WaitsMaxDelayForABatchToFill) {
  SystemUnderTest system = OneWorker(milliseconds(1), 8);
  system.plan.stages[0].max_delay = milliseconds(5);
  const SimulationReport report = system.Run(Constant(10, 100));
  EXPECT_EQ(report.latency.max, milliseconds(6));
  EXPECT_EQ(report.stages[0].mean_rows(), 1);
}

TEST(Simulate, EndsThoughClosedLoopClientsFindNoSlot) {
  SystemUnderTest system = OneWorker(milliseconds(5));
  system.cascade.slots = 4;
  SimulatedLoad load = Constant(1, 1'000);
  load.pace = ClosedLoad{.concurrency = 10};
  const SimulationReport report = system.Run(load);
  EXPECT_EQ(report.requests.sent, 1'000);
  EXPECT_GT(report.requests.refused, 0);
  EXPECT_GT(report.requests.served, 0);
}

struct BadLoad {
  std::string message;
  SimulatedLoad load;
};

SimulatedLoad Changed(void (*change)(SimulatedLoad*)) {
  SimulatedLoad load = Constant(100, 10);
  load.exits = ExitRatios({0.5, 0.5});
  change(&load);
  return load;
}

std::vector<BadLoad> BadLoads() {
  return {
      {"rate: 0 is not in [0.1, 1e+08], requests per second",
       Changed([](SimulatedLoad* load) { load->pace = OpenLoad{}; })},
      {"concurrency: 0 is not 1 or more",
       Changed([](SimulatedLoad* load) { load->pace = ClosedLoad{.concurrency = 0}; })},
      {"exit ratios: 1 given, expected 2, one for each stage of digits but the last",
       Changed([](SimulatedLoad* load) { load->exits = ExitRatios({0.5}); })},
      {"exit ratios: 1.5 is not in [0, 1]", Changed([](SimulatedLoad* load) {
         load->exits = ExitRatios({0.5, 1.5});
       })},
      {"exit ratios: none for the first request",
       Changed([](SimulatedLoad* load) { load->exits.clear(); })},
      {"exit ratios: the times from which they hold do not ascend",
       Changed([](SimulatedLoad* load) {
         load->exits.push_back({.start = seconds(2), .ratios = {0, 0}});
         load->exits.push_back({.start = seconds(1), .ratios = {0, 0}});
       })},
      {"rows: 65 is not in [1, 64], the rows that a request of digits may have",
       Changed([](SimulatedLoad* load) { load->rows = 65; })},
      {"samples: 0 is not in [1, 100000000]",
       Changed([](SimulatedLoad* load) { load->samples = 0; })},
      {"warm-up samples: -1 is not in [0, 100000000]",
       Changed([](SimulatedLoad* load) { load->warmup_samples = -1; })},
      {"deadline: 0 s is not more than zero",
       Changed([](SimulatedLoad* load) { load->deadline = Duration::zero(); })},
      {"overhead: -1 s is not in [0, 86400]",
       Changed([](SimulatedLoad* load) { load->overhead = seconds(-1); })},
  };
}

TEST(Simulate, SaysWhatDoesNotSuitTheCascade) {
  SystemUnderTest system = ThreeStages();
  system.AddWorkers({.stages = {0, 1, 2}});
  for (const BadLoad& bad : BadLoads()) {
    const auto report = Simulate(
        {.cascade = system.cascade, .plan = system.plan, .profile = system.profile}, bad.load);
    EXPECT_EQ(report.status(), absl::InvalidArgumentError(bad.message));
  }
}

}  // namespace
}  // namespace escan
