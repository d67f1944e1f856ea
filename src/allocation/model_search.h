#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "allocation/goal.h"
#include "allocation/prediction.h"
#include "allocation/search_grid.h"
#include "allocation/step_costs.h"
#include "allocation/workload.h"
#include "contracts/plan.h"

namespace escan {

struct PlannedPlan {
  Plan plan;
  Prediction prediction;
};

// What a search came to.
struct Allocation {
  Goal goal = Goal::kGoodput;  // what plans were judged by
  PlannedPlan best;
  // Others, with different workers, that the search came by: good ones, the best first, but maybe
  // not the next best ones of all.
  std::vector<PlannedPlan> runners_up;
  int64_t evaluations = 0;  // of the model
};

// A good plan of the grid by the model alone, as a hill climb finds it: classes of equal workers
// that host stages in a row, as many of both on a device as the limits say, the profile's shares,
// and as batch limits the stages' buckets. With a rate, a plan of Goal::kLatency; if there is none,
// or without a rate, one of Goal::kGoodput. On several equal devices each one gets the plan for its
// part of the rate.
//
// Plain code; any thread; blocks while it searches. FAILED_PRECONDITION: the device's memory is too
// small for any plan, or no plan keeps the objective even without load; the message says by how
// much.
absl::StatusOr<Allocation> SearchByModel(const StepCosts& costs, const Workload& workload,
                                         int devices = 1, const SearchLimits& limits = {});

// How many plans the grid for one device holds; as a double, since it may exceed 2^63.
double GridSize(const Profile& profile, const SearchLimits& limits = {});

}  // namespace escan
