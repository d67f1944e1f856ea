#pragma once

#include <functional>
#include <optional>

#include "absl/status/statusor.h"
#include "simulation/plan_search.h"

namespace escan {

// The best plan for a workload, and what the simulator says of it and of the one in effect.
struct FoundPlan {
  Plan plan;
  SimulatedFigures figures;
  std::optional<SimulatedFigures> in_effect;  // of the query's plan in effect
  // That they are for: without the objective where no plan keeps it, without the rate where that
  // is not known.
  Workload workload;
};

using PlanSearch = std::function<absl::StatusOr<FoundPlan>(const PlanQuery& query, bool saturated)>;

// The plan of SearchPlan; where none keeps the objective even without load, the one with the
// highest rate: then it is at least not late for want of capacity. `saturated`: requests are
// refused. If the plan in effect holds the rate all the same, clients that wait for answers offer
// no more than they get, so the rate is not known, and the highest is looked for.
//
// Errors are SearchPlan's. Plain code; any thread; blocks for the searches and their simulations,
// which may take seconds.
absl::StatusOr<FoundPlan> FindPlan(const PlanQuery& query, bool saturated = false);

}  // namespace escan
