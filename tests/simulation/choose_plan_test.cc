#include "simulation/choose_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "simulation/system_under_test.h"

namespace escan {
namespace {

using testing::HasSubstr;

// Two stages whose batches save much, on a device that a few workers fill.
class ChoosePlanTest : public testing::Test {
 protected:
  ChoosePlanTest() : system_({std::chrono::milliseconds(1), std::chrono::milliseconds(4)}, 8) {
    Profile& profile = system_.profile;
    profile.client_counts = {1, 4};
    for (StageCosts& costs : profile.stages) {
      const Seconds full = costs.step[0][0];
      costs.buckets = {1, 8};
      costs.step = {{full / 2, full}};
      costs.steady_step = costs.step;
      costs.device_time = {{{full / 4, full / 2}, {full / 4, full / 2}}};
    }
    for (StageSpec& stage : system_.cascade.stages) stage.buckets = {1, 8};
    workload_.exit_ratios = {0.5, 1};
  }

  PlanQuery Query() const {
    return {.profile = system_.profile,
            .cascade = system_.cascade,
            .workload = workload_,
            .limits = {.clients = 4}};
  }

  ChosenPlan Choose() const {
    const absl::StatusOr<ChosenPlan> chosen = ChoosePlan(Query());
    EXPECT_TRUE(chosen.ok()) << chosen.status();
    return chosen.ok() ? *chosen : ChosenPlan();
  }

  SimulationReport Simulated(const Plan& plan, double rate) const {
    SystemUnderTest system = system_;
    system.plan = plan;
    return system.Run({.pace = OpenLoad{.rate = rate},
                       .samples = 50'000,
                       .warmup_samples = 2'000,
                       .exits = ExitRatios({0.5})});
  }

  SystemUnderTest system_;
  Workload workload_;
};

TEST_F(ChoosePlanTest, OrdersThePlansOfTheSearchByTheirSimulatedLatency) {
  workload_.rate = 400;
  workload_.objective = Seconds(1);
  const ChosenPlan chosen = Choose();
  EXPECT_EQ(chosen.allocation.goal, Goal::kLatency);
  ASSERT_GT(chosen.figures.size(), 1u);
  ASSERT_EQ(chosen.figures.size(), chosen.allocation.runners_up.size() + 1);
  EXPECT_TRUE(std::ranges::is_sorted(
      chosen.figures, [](const auto& a, const auto& b) { return a.p99 < b.p99 * (1 - 1e-3); }));
  const absl::StatusOr<Allocation> found =
      SearchPlan(StepCosts(system_.profile), workload_, 1, {.clients = 4});
  ASSERT_TRUE(found.ok());
  std::vector<Plan> searched{found->best.plan};
  std::vector<Plan> ordered{chosen.allocation.best.plan};
  for (const PlannedPlan& other : found->runners_up) searched.push_back(other.plan);
  for (const PlannedPlan& other : chosen.allocation.runners_up) ordered.push_back(other.plan);
  // Beside them those with fewer classes.
  EXPECT_THAT(ordered, testing::IsSupersetOf(searched));

  const SimulatedFigures& best = chosen.figures.front();
  EXPECT_TRUE(Holds(best, workload_));
  EXPECT_EQ(best.goodput, 400);
  const SimulationReport report = Simulated(chosen.allocation.best.plan, 400);
  EXPECT_NEAR(best.p99 / report.latency.p99, 1, 0.1);
}

TEST_F(ChoosePlanTest, FindsTheHighestRateThatKeepsTheObjective) {
  workload_.objective = Seconds(0.02);
  const ChosenPlan chosen = Choose();
  EXPECT_EQ(chosen.allocation.goal, Goal::kGoodput);
  const SimulatedFigures& best = chosen.figures.front();
  EXPECT_LE(best.p99, *workload_.objective);
  for (const SimulatedFigures& other : chosen.figures) {
    EXPECT_LE(other.goodput, best.goodput * 1.002);
  }
  const Plan& plan = chosen.allocation.best.plan;
  EXPECT_LE(Simulated(plan, best.goodput * 0.95).latency.p99, *workload_.objective);
  EXPECT_GT(Simulated(plan, best.goodput * 1.1).latency.p99, *workload_.objective);
}

TEST_F(ChoosePlanTest, WithoutAnObjectiveTakesThePlanThatServesMost) {
  const ChosenPlan chosen = Choose();
  const SimulatedFigures& best = chosen.figures.front();
  EXPECT_NEAR(best.capacity / chosen.allocation.best.prediction.capacity.rate, 1, 0.05);
  EXPECT_EQ(best.goodput, best.capacity);
  for (const SimulatedFigures& other : chosen.figures) {
    EXPECT_LE(other.goodput, best.goodput * 1.002);
  }
}

TEST_F(ChoosePlanTest, ServesALoadThatHardlyComes) {
  workload_.rate = 1e-3;
  EXPECT_TRUE(Holds(Choose().figures.front(), workload_));
}

TEST_F(ChoosePlanTest, CountsRequestsThatAreNotServedAsLate) {
  workload_.rate = 400;
  system_.cascade.deadline = std::chrono::microseconds(100);
  const ChosenPlan chosen = Choose();
  EXPECT_FALSE(Holds(chosen.figures.front(), workload_));
  EXPECT_TRUE(std::isinf(chosen.figures.front().p99.count()));
}

TEST_F(ChoosePlanTest, SaysWhatDoesNotSuitTheCascade) {
  workload_.rows_per_request = 65;
  const absl::Status status = ChoosePlan(Query()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("rows: 65 is not in [1, 64]"));
}

}  // namespace
}  // namespace escan
