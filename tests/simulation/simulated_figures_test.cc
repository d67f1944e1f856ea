#include "simulation/simulated_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "simulation/system_under_test.h"

namespace escan {
namespace {

using std::chrono::milliseconds;

SimulatedFigures FiguresOf(const SystemUnderTest& system, const Workload& workload, Goal goal,
                           double least = 0) {
  const absl::StatusOr<SimulatedFigures> figures =
      SimulatePlan({.cascade = system.cascade, .plan = system.plan, .profile = system.profile},
                   workload, goal, least);
  EXPECT_TRUE(figures.ok()) << figures.status();
  return figures.value_or(SimulatedFigures());
}

// Twelve workers that serve 64 rows in 10 ms.
SystemUnderTest Replicas() {
  SystemUnderTest system({milliseconds(10)}, 64);
  system.AddWorkers({.count = 12, .stages = {0}});
  return system;
}
constexpr double kCapacity = 12 * 64 / 10e-3;

TEST(SimulatedFigures, HaveTheCapacityOfWorkersThatAreNeverIdle) {
  const SimulatedFigures figures = FiguresOf(Replicas(), {.exit_ratios = {1}}, Goal::kGoodput);
  EXPECT_NEAR(figures.capacity / kCapacity, 1, 0.01);
  EXPECT_EQ(figures.goodput, figures.capacity);
}

TEST(SimulatedFigures, AtARateHaveItsP99AndNoMoreGoodput) {
  Workload workload{.exit_ratios = {1}, .rate = kCapacity / 2, .objective = Seconds(0.1)};
  const SimulatedFigures figures = FiguresOf(Replicas(), workload, Goal::kLatency);
  EXPECT_EQ(figures.goodput, *workload.rate);
  EXPECT_TRUE(Holds(figures, workload));
  EXPECT_GE(figures.p99, Seconds(0.01));
  workload.objective = Seconds(0.009);
  EXPECT_EQ(FiguresOf(Replicas(), workload, Goal::kLatency).goodput, 0);
}

TEST(SimulatedFigures, FindTheGoodputToAFewPercent) {
  SystemUnderTest system({milliseconds(2)}, 1);
  system.AddWorkers({.stages = {0}});
  // Of one server the p99 is 10 ms at a load that only a simulation tells.
  const Workload workload{.exit_ratios = {1}, .objective = Seconds(0.01)};
  const SimulatedFigures figures = FiguresOf(system, workload, Goal::kGoodput);
  EXPECT_LE(figures.p99, *workload.objective);
  Workload more = workload;
  more.rate = figures.goodput * 1.03;
  EXPECT_GT(FiguresOf(system, more, Goal::kLatency).p99, *workload.objective);
  // The same where a rate is known, below it or above.
  more.rate = figures.goodput / 2;
  EXPECT_NEAR(FiguresOf(system, more, Goal::kGoodput).goodput / figures.goodput, 1, 0.03);
  more.rate = figures.goodput * 2;
  EXPECT_NEAR(FiguresOf(system, more, Goal::kGoodput).goodput / figures.goodput, 1, 0.03);
}

TEST(SimulatedFigures, GiveUpAPlanThatIsWorseThanAnother) {
  const Workload workload{.exit_ratios = {1}, .objective = Seconds(0.05)};
  const double goodput = FiguresOf(Replicas(), workload, Goal::kGoodput).goodput;
  const SimulatedFigures worse = FiguresOf(Replicas(), workload, Goal::kGoodput, goodput * 1.05);
  EXPECT_EQ(worse.goodput, 0);
  EXPECT_GT(FiguresOf(Replicas(), workload, Goal::kGoodput, goodput / 2).goodput, goodput * 0.97);
}

TEST(SimulatedFigures, AreKnownBeforehandToKeepAnObjective) {
  const Workload workload{.exit_ratios = {1}, .objective = Seconds(0.05)};
  const SystemUnderTest system = Replicas();
  const double goodput = FiguresOf(system, workload, Goal::kGoodput).goodput;
  const SimulatedSystem simulated{
      .cascade = system.cascade, .plan = system.plan, .profile = system.profile};
  EXPECT_TRUE(*KeepsObjective(simulated, workload, goodput));
  EXPECT_FALSE(*KeepsObjective(simulated, workload, goodput * 1.05));
  EXPECT_EQ(
      KeepsObjective(simulated, {.exit_ratios = {1}, .rows_per_request = 65}, 1).status().code(),
      absl::StatusCode::kInvalidArgument);
}

TEST(SimulatedFigures, OfAPlanThatServesNothingAreNoFigures) {
  SystemUnderTest system({milliseconds(2), milliseconds(2)}, 1);
  system.AddWorkers({.stages = {1}});
  system.cascade.deadline = milliseconds(100);
  const Workload workload{.exit_ratios = {0.5, 1}, .rate = 10};
  const SimulatedFigures figures = FiguresOf(system, workload, Goal::kLatency);
  EXPECT_EQ(figures.capacity, 0);
  EXPECT_EQ(figures.goodput, 0);
  EXPECT_TRUE(std::isinf(figures.p99.count()));
}

TEST(Holds, AsksForRoomToSpareWithinTheObjective) {
  const Workload workload{.exit_ratios = {1}, .rate = 100};
  EXPECT_TRUE(Holds({.capacity = 121, .goodput = 100}, workload));
  EXPECT_FALSE(Holds({.capacity = 119, .goodput = 100}, workload));
  EXPECT_FALSE(Holds({.capacity = 121, .goodput = 0}, workload));
  EXPECT_FALSE(Holds({.capacity = 121, .goodput = 100}, {.exit_ratios = {1}})) << "of no rate";
}

}  // namespace
}  // namespace escan
