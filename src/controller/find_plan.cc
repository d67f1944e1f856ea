#include "controller/find_plan.h"

#include <utility>

#include "simulation/choose_plan.h"

namespace escan {

absl::StatusOr<FoundPlan> FindPlan(const Profile& profile, const CascadeSpec& cascade,
                                   const Workload& workload, int devices,
                                   const SearchLimits& limits) {
  FoundPlan found{.workload = workload};
  absl::StatusOr<ChosenPlan> chosen = ChoosePlan(profile, cascade, found.workload, devices, limits);
  if (absl::IsFailedPrecondition(chosen.status()) && workload.objective.has_value()) {
    found.workload.objective.reset();
    chosen = ChoosePlan(profile, cascade, found.workload, devices, limits);
  }
  if (!chosen.ok()) return chosen.status();
  found.planned = std::move(chosen->allocation.best);
  return found;
}

}  // namespace escan
