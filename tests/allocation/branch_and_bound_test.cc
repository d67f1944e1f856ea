#include "allocation/branch_and_bound.h"

#include <gtest/gtest.h>

#include "allocation/contest.h"
#include "allocation/hill_climb.h"
#include "allocation/random_problems.h"
#include "allocation/search_grid.h"

namespace escan {
namespace {

// The best value, or 0, as found from a good plan or from none.
double BestOf(const Problem& problem, Goal goal, bool climb) {
  const StepCosts costs(problem.profile);
  const SearchGrid grid(costs, problem.workload, problem.limits);
  Contest contest(grid, goal);
  if (climb) Climb(grid, &contest);
  BranchAndBound(grid, &contest).Run();
  return contest.ranking().empty() ? 0 : contest.ranking().front().value;
}

// A good start must not hide that a bound rules out too much.
TEST(BranchAndBound, FindsTheSameWithoutAPlanToStartFrom) {
  RandomProblems random(14);
  int found = 0;
  for (int round = 0; round < 1000; ++round) {
    const Problem problem = random.Next(3, 6);
    for (const Goal goal : {Goal::kLatency, Goal::kGoodput}) {
      if (goal == Goal::kLatency && !problem.workload.rate) continue;
      const double expected = BestOf(problem, goal, true);
      ASSERT_NEAR(BestOf(problem, goal, false), expected, 1e-8 * expected) << "round " << round;
      found += static_cast<int>(expected > 0);
    }
  }
  EXPECT_GT(found, 700);
}

}  // namespace
}  // namespace escan
