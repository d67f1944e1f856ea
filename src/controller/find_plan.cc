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

// By the model, or by the simulator.
bool NoneKeepsObjective(const absl::StatusOr<ChosenPlan>& chosen) {
  if (!chosen.ok()) return absl::IsFailedPrecondition(chosen.status());
  return chosen->allocation.goal == Goal::kGoodput && chosen->figures.front().goodput == 0;
}

}  // namespace

absl::StatusOr<FoundPlan> FindPlan(const PlanQuery& query, bool saturated) {
  PlanQuery asked = query;
  if (saturated && InEffectHolds(asked)) asked.workload.rate.reset();
  absl::StatusOr<ChosenPlan> chosen = SearchPlan(asked);
  if (asked.workload.objective && NoneKeepsObjective(chosen)) {
    asked.workload.objective.reset();
    chosen = SearchPlan(asked);
  }
  if (!chosen.ok()) return chosen.status();
  return FoundPlan{.plan = std::move(chosen->allocation.best.plan),
                   .figures = chosen->figures.front(),
                   .in_effect = chosen->in_effect,
                   .workload = std::move(asked.workload)};
}

}  // namespace escan
