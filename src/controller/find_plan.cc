#include "controller/find_plan.h"

#include <utility>

namespace escan {
namespace {

bool InEffectHolds(const PlanQuery& query) {
  if (query.in_effect == nullptr || !query.workload.rate) return false;
  const absl::StatusOr<SimulatedFigures> figures =
      SimulatePlan(query.SystemWith(*query.in_effect), query.workload, Goal::kLatency);
  return figures.ok() && Holds(*figures, query.workload);
}

}  // namespace

absl::StatusOr<FoundPlan> FindPlan(const PlanQuery& query, bool saturated) {
  PlanQuery asked = query;
  if (saturated && InEffectHolds(asked)) asked.workload.rate.reset();
  absl::StatusOr<ChosenPlan> chosen = ChoosePlan(asked);
  if (absl::IsFailedPrecondition(chosen.status()) && asked.workload.objective) {
    asked.workload.objective.reset();
    chosen = ChoosePlan(asked);
  }
  if (!chosen.ok()) return chosen.status();
  return FoundPlan{.plan = std::move(chosen->allocation.best.plan),
                   .figures = chosen->figures.front(),
                   .in_effect = chosen->in_effect,
                   .workload = std::move(asked.workload)};
}

}  // namespace escan
