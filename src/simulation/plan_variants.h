#pragma once

#include <vector>

#include "allocation/search_grid.h"
#include "allocation/step_costs.h"
#include "contracts/plan.h"

namespace escan {

// A plan that differs from another one in one thing.
struct PlanVariant {
  Plan plan;
  // The part by which it must do better to be worth taking. One more worker takes memory, and
  // what more clients at once cost is what is known least.
  double gain = 0;
};

// Of a plan whose groups are the same on each of `devices` devices: with two credits instead of one
// or the reverse, in one group; with batches regrouped between stages or not, where all workers
// host all stages; with batches of one stage, or all, one bucket smaller or larger;
// with the profile's next smaller or larger share, in one group; with a worker less in one group,
// or one more if limits and memory allow it. All are valid plans.
std::vector<PlanVariant> VariantsOf(const Plan& plan, const StepCosts& costs, int devices,
                                    const SearchLimits& limits);

}  // namespace escan
