#include "simulation/simulated_climb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "simulation/plan_query_fixture.h"
#include "simulation/plan_variants.h"

namespace escan {
namespace {

class SimulatedClimbTest : public PlanQueryTest {
 protected:
  SimulatedClimbTest() : costs_(system_.profile) {
    start_ = system_.plan;
    start_.workers = {{.count = 2, .stages = {0, 1}}};
    start_.stages = {{.max_batch = 1}, {.max_batch = 1}};
  }

  SimulatedFigures Figures(const Plan& plan, Goal goal) const {
    const auto figures = SimulatePlan(Query().SystemWith(plan), workload_, goal);
    EXPECT_TRUE(figures.ok()) << figures.status();
    return figures.value_or(SimulatedFigures());
  }

  SimulatedPlan Climb(Goal goal) const {
    const PlanQuery query = Query();
    auto found = SimulatedClimb(query, costs_, goal)
                     .Climb({.plan = start_, .figures = Figures(start_, goal)});
    EXPECT_TRUE(found.ok()) << found.status();
    return *std::move(found);
  }

  std::optional<SimulatedPlan> BestSimple(Goal goal, const SimulatedFigures& least) const {
    const PlanQuery query = Query();
    auto found = SimulatedClimb(query, costs_, goal).BestSimple(least);
    EXPECT_TRUE(found.ok()) << found.status();
    return *std::move(found);
  }

  const StepCosts costs_;
  Plan start_;
};

TEST_F(SimulatedClimbTest, EndsWhereNoVariantIsBetter) {
  for (const double objective : {0.01, 0.05}) {
    workload_.objective = Seconds(objective);
    const SimulatedPlan found = Climb(Goal::kGoodput);
    EXPECT_GE(found.figures.goodput, Figures(start_, Goal::kGoodput).goodput);
    EXPECT_LE(found.figures.p99, *workload_.objective);
    for (const PlanVariant& variant : VariantsOf(found.plan, costs_, 1, Query().limits)) {
      // Halving ends within 2 % of a goodput.
      EXPECT_LE(Figures(variant.plan, Goal::kGoodput).goodput,
                found.figures.goodput * (1 + variant.gain + 0.02))
          << objective;
    }
  }
}

TEST_F(SimulatedClimbTest, WithoutAnObjectiveClimbsToMoreCapacity) {
  const SimulatedPlan found = Climb(Goal::kGoodput);
  EXPECT_GT(found.figures.capacity, 2 * Figures(start_, Goal::kGoodput).capacity);
  for (const StagePolicy& policy : found.plan.stages) EXPECT_EQ(policy.max_batch, 8);
}

TEST_F(SimulatedClimbTest, AtARateClimbsToLessLatency) {
  workload_.rate = 500;
  workload_.objective = Seconds(0.1);
  const SimulatedFigures start = Figures(start_, Goal::kLatency);
  ASSERT_TRUE(Holds(start, workload_));
  const SimulatedPlan found = Climb(Goal::kLatency);
  EXPECT_TRUE(Holds(found.figures, workload_));
  EXPECT_LT(found.figures.p99, start.p99);
  const SimulatedFigures again = Figures(found.plan, Goal::kLatency);
  EXPECT_EQ(again.p99, found.figures.p99);
}

TEST_F(SimulatedClimbTest, FindsTheBestOfSimplePlans) {
  workload_.objective = Seconds(0.01);
  const SimulatedFigures least = Figures(start_, Goal::kGoodput);
  const auto found = BestSimple(Goal::kGoodput, least);
  ASSERT_TRUE(found.has_value());
  EXPECT_GT(found->figures.goodput, least.goodput);
  Plan other = found->plan;
  for (const int limit : {1, 8}) {
    for (StagePolicy& policy : other.stages) policy.max_batch = limit;
    for (const int count : {1, 2, 3, 4}) {
      other.workers = {{.count = count, .stages = {0, 1}}};
      for (const bool regroup : {false, true}) {
        other.options.regroup = regroup;
        EXPECT_LE(Figures(other, Goal::kGoodput).goodput, found->figures.goodput * 1.04) << count;
      }
    }
    other.workers = {{.stages = {0}}, {.stages = {1}}};
    EXPECT_LE(Figures(other, Goal::kGoodput).goodput, found->figures.goodput * 1.04);
  }
}

// Two passes take 10 ms: a step of another batch between those of one would be too much.
TEST_F(SimulatedClimbTest, KeepsBatchesTogetherWhereTheObjectiveIsTight) {
  for (const auto& [objective, regroup] : {std::pair(0.01, false), std::pair(0.02, true)}) {
    workload_.objective = Seconds(objective);
    PlanQuery query = Query();
    query.limits.clients = 1;
    const auto found = SimulatedClimb(query, costs_, Goal::kGoodput).BestSimple({.goodput = 1});
    ASSERT_TRUE(found.ok() && found->has_value()) << found.status();
    EXPECT_EQ((*found)->plan.options.regroup, regroup) << objective;
  }
}

TEST_F(SimulatedClimbTest, HasNoSimplePlanWhereNoneIsBetter) {
  workload_.objective = Seconds(0.01);
  EXPECT_FALSE(BestSimple(Goal::kGoodput, {.capacity = 1e9, .goodput = 1e9}).has_value());
  workload_.objective = Seconds(1e-6);
  EXPECT_FALSE(BestSimple(Goal::kGoodput, {.goodput = 1}).has_value());
}

TEST_F(SimulatedClimbTest, HasSimplePlansOnEveryDevice) {
  workload_.objective = Seconds(0.02);
  PlanQuery query = Query();
  query.devices = 2;
  const auto found = SimulatedClimb(query, costs_, Goal::kGoodput).BestSimple({.goodput = 1});
  ASSERT_TRUE(found.ok() && found->has_value()) << found.status();
  const std::vector<WorkerGroup>& groups = (*found)->plan.workers;
  ASSERT_EQ(groups.size() % 2, 0u);
  for (size_t i = 0; i < groups.size() / 2; ++i) {
    WorkerGroup other = groups[groups.size() / 2 + i];
    EXPECT_EQ(std::exchange(other.device, 0), 1);
    EXPECT_EQ(other, groups[i]);
  }
}

}  // namespace
}  // namespace escan
