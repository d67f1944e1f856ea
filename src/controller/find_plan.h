#pragma once

#include <functional>
#include <optional>

#include "absl/status/statusor.h"
#include "simulation/choose_plan.h"

namespace escan {

// The best plan for a workload, and what the simulator says of it and of the one in effect.
struct FoundPlan {
  Plan plan;
  SimulatedFigures figures;
  std::optional<SimulatedFigures> in_effect;  // of the query's plan in effect
  Workload workload;  // that they are for: without the objective where no plan keeps it
};

using PlanSearch = std::function<absl::StatusOr<FoundPlan>(const PlanQuery& query)>;

// The plan of ChoosePlan; where none keeps the objective even without load, the one with the
// highest rate: then it is at least not late for want of capacity.
//
// Errors are ChoosePlan's. Plain code; any thread; blocks for the searches and their simulations,
// which may take seconds.
absl::StatusOr<FoundPlan> FindPlan(const PlanQuery& query);

}  // namespace escan
