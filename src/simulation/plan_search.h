#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "allocation/model_search.h"
#include "simulation/plan_query.h"
#include "simulation/simulated_figures.h"

namespace escan {

// The plans of which one was chosen: the best few of a search, in the order in which the simulator
// puts them, and what it prefers to these.
struct ChosenPlan {
  Allocation allocation;                      // its best is the choice
  std::vector<SimulatedFigures> figures;      // of the best one, then of each of the runners-up
  std::optional<SimulatedFigures> in_effect;  // of the query's plan in effect

  const PlannedPlan& planned(size_t index) const {  // the one of these figures
    return index == 0 ? allocation.best : allocation.runners_up[index - 1];
  }
};

// Searches a plan with the model (SearchByModel), simulates the best few, and the best few with
// fewer classes of workers, with the scheduler's own code and puts them in order by what that shows
// (IsBetter). From the best of them, or from a simple plan where one is better, it goes on to
// plans that the simulator prefers (SimulatedClimb). Of all those that do about as well as
// the best, the one of the fewest workers is chosen: what more clients at once cost is what the
// simulator knows least. Goal::kLatency: if none holds the workload (Holds), nor the plan in
// effect, then plans for the highest rate take their place. The plan in effect is simulated in the
// same way; one that cannot be counts as one that serves nothing.
//
// Plain code; any thread; blocks for the search, at most two of them, and their simulations, which
// take some tenths of a second up to some seconds. Equal arguments give equal plans. Errors: those
// of SearchByModel; INVALID_ARGUMENT when the workload does not suit the cascade; CANCELLED.
absl::StatusOr<ChosenPlan> SearchPlan(const PlanQuery& query);

}  // namespace escan
