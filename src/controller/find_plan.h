#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "allocation/plan_search.h"
#include "allocation/search_grid.h"
#include "allocation/workload.h"
#include "escan/cascade.h"
#include "escan/profile.h"

namespace escan {

// The best plan for a workload.
struct FoundPlan {
  PlannedPlan planned;
  Workload workload;  // that it is for: without the objective where no plan keeps it
};

using PlanSearch = std::function<absl::StatusOr<FoundPlan>(
    const Profile& profile, const CascadeSpec& cascade, const Workload& workload, int devices,
    const SearchLimits& limits)>;

// The plan of ChoosePlan; where none keeps the objective even without load, the one with the
// highest rate: then it is at least not late for want of capacity. Errors are ChoosePlan's. Plain
// code; any thread; blocks for the search and its simulations, which may take seconds.
absl::StatusOr<FoundPlan> FindPlan(const Profile& profile, const CascadeSpec& cascade,
                                   const Workload& workload, int devices = 1,
                                   const SearchLimits& limits = {});

}  // namespace escan
