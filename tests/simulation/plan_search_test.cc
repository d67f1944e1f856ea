#include "simulation/plan_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "allocation/worker_count.h"
#include "simulation/plan_query_fixture.h"

namespace escan {
namespace {

using testing::HasSubstr;

class PlanSearchTest : public PlanQueryTest {
 protected:
  ChosenPlan Choose() const {
    const absl::StatusOr<ChosenPlan> chosen = SearchPlan(Query());
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
};

TEST_F(PlanSearchTest, TakesThePlanOfLeastSimulatedLatency) {
  workload_.rate = 400;
  workload_.objective = Seconds(1);
  const ChosenPlan chosen = Choose();
  EXPECT_EQ(chosen.allocation.goal, Goal::kLatency);
  ASSERT_GT(chosen.figures.size(), 2u);
  ASSERT_EQ(chosen.figures.size(), chosen.allocation.runners_up.size() + 1);
  for (const SimulatedFigures& other : chosen.figures) {
    EXPECT_GE(other.p99, chosen.figures.front().p99 * 0.95);
  }
  const absl::StatusOr<Allocation> found =
      SearchByModel(StepCosts(system_.profile), workload_, 1, {.clients = 4});
  ASSERT_TRUE(found.ok());
  std::vector<Plan> searched{found->best.plan};
  std::vector<Plan> ordered{chosen.allocation.best.plan};
  for (const PlannedPlan& other : found->runners_up) searched.push_back(other.plan);
  for (const PlannedPlan& other : chosen.allocation.runners_up) ordered.push_back(other.plan);
  EXPECT_THAT(ordered, testing::IsSupersetOf(searched));

  const SimulatedFigures& best = chosen.figures.front();
  EXPECT_TRUE(Holds(best, workload_));
  EXPECT_EQ(best.goodput, 400);
  const SimulationReport report = Simulated(chosen.allocation.best.plan, 400);
  EXPECT_NEAR(best.p99 / report.latency.p99, 1, 0.1);
}

TEST_F(PlanSearchTest, FindsTheHighestRateThatKeepsTheObjective) {
  workload_.objective = Seconds(0.02);
  const ChosenPlan chosen = Choose();
  EXPECT_EQ(chosen.allocation.goal, Goal::kGoodput);
  const SimulatedFigures& best = chosen.figures.front();
  EXPECT_LE(best.p99, *workload_.objective);
  for (const SimulatedFigures& other : chosen.figures) {
    EXPECT_LE(other.goodput, best.goodput * 1.06);
  }
  const Plan& plan = chosen.allocation.best.plan;
  EXPECT_LE(Simulated(plan, best.goodput * 0.95).latency.p99, *workload_.objective);
  EXPECT_GT(Simulated(plan, best.goodput * 1.1).latency.p99, *workload_.objective);
}

TEST_F(PlanSearchTest, WithoutAnObjectiveTakesThePlanThatServesMost) {
  const ChosenPlan chosen = Choose();
  const SimulatedFigures& best = chosen.figures.front();
  EXPECT_NEAR(best.capacity / chosen.allocation.best.prediction.capacity.rate, 1, 0.05);
  EXPECT_EQ(best.goodput, best.capacity);
  for (const SimulatedFigures& other : chosen.figures) {
    EXPECT_LE(other.goodput, best.goodput * 1.06);
  }
}

TEST_F(PlanSearchTest, DoesBetterThanTheSearchWhereLatencyIsTight) {
  workload_.objective = Seconds(0.006);
  const ChosenPlan chosen = Choose();
  const absl::StatusOr<Allocation> found =
      SearchByModel(StepCosts(system_.profile), workload_, 1, {.clients = 4});
  ASSERT_TRUE(found.ok());
  const SimulatedFigures searched =
      *SimulatePlan(Query().SystemWith(found->best.plan), workload_, Goal::kGoodput);
  EXPECT_GT(chosen.figures.front().goodput, 1.1 * searched.goodput);
}

TEST_F(PlanSearchTest, PrefersFewerWorkersThatDoAboutAsWell) {
  for (const double objective : {0.004, 0.01, 0.02, 0.1}) {
    workload_.objective = Seconds(objective);
    const ChosenPlan chosen = Choose();
    for (size_t i = 1; i < chosen.figures.size(); ++i) {
      if (chosen.figures[i].goodput < chosen.figures.front().goodput) continue;
      EXPECT_GE(WorkerCount(chosen.planned(i).plan), WorkerCount(chosen.allocation.best.plan));
    }
  }
}

TEST_F(PlanSearchTest, ServesALoadThatHardlyComes) {
  workload_.rate = 1e-3;
  EXPECT_TRUE(Holds(Choose().figures.front(), workload_));
}

TEST_F(PlanSearchTest, CountsRequestsThatAreNotServedAsLate) {
  workload_.rate = 400;
  system_.cascade.deadline = std::chrono::microseconds(100);
  const ChosenPlan chosen = Choose();
  EXPECT_FALSE(Holds(chosen.figures.front(), workload_));
  EXPECT_TRUE(std::isinf(chosen.figures.front().p99.count()));
}

TEST_F(PlanSearchTest, EndsWhenItIsCancelled) {
  const std::atomic<bool> cancelled = true;
  PlanQuery query = Query();
  query.cancelled = &cancelled;
  EXPECT_EQ(SearchPlan(query).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(PlanSearchTest, SaysWhatDoesNotSuitTheCascade) {
  workload_.rows_per_request = 65;
  const absl::Status status = SearchPlan(Query()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("rows: 65 is not in [1, 64]"));
}

}  // namespace
}  // namespace escan
