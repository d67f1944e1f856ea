#include "simulation/choose_plan.h"

#include <algorithm>
#include <utility>

namespace escan {
namespace {

constexpr double kEqual = 1e-3;  // figures that differ by less are equal
constexpr size_t kSimpler = 2;   // candidates with each smaller number of classes

bool Better(Goal goal, const Workload& workload, const SimulatedFigures& a,
            const SimulatedFigures& b) {
  if (goal == Goal::kGoodput) return a.goodput > b.goodput * (1 + kEqual);
  const bool holds = Holds(a, workload);
  if (holds != Holds(b, workload)) return holds;
  return a.p99 < b.p99 * (1 - kEqual);
}

// The best plans of the search, and the best of those with fewer classes: how the scheduler divides
// work between different classes the model only estimates, so a simpler plan may serve more.
std::vector<PlannedPlan> Candidates(const StepCosts& costs, const Workload& workload, int devices,
                                    SearchLimits limits, Allocation* found) {
  std::vector<PlannedPlan> plans;
  const auto add = [&](PlannedPlan& planned) {
    const bool known = std::ranges::any_of(
        plans, [&](const PlannedPlan& other) { return other.plan == planned.plan; });
    if (!known) plans.push_back(std::move(planned));
  };
  add(found->best);
  std::ranges::for_each(found->runners_up, add);
  while (--limits.classes > 0) {
    absl::StatusOr<Allocation> simpler = SearchPlan(costs, workload, devices, limits);
    if (!simpler.ok()) break;
    found->evaluations += simpler->evaluations;
    found->bounds += simpler->bounds;
    if (simpler->goal != found->goal) continue;
    add(simpler->best);
    simpler->runners_up.resize(std::min(simpler->runners_up.size(), kSimpler - 1));
    std::ranges::for_each(simpler->runners_up, add);
  }
  return plans;
}

// In the order in which the simulator puts them.
absl::StatusOr<ChosenPlan> Order(const PlanQuery& query, Allocation allocation,
                                 std::vector<PlannedPlan> plans) {
  std::vector<SimulatedFigures> figures;
  double best = 0;
  for (const PlannedPlan& planned : plans) {
    const absl::StatusOr<SimulatedFigures> found =
        SimulatePlan(query.SystemWith(planned.plan), query.workload, allocation.goal, best);
    if (!found.ok()) return found.status();
    best = std::max(best, found->goodput);
    figures.push_back(*found);
  }
  std::vector<size_t> order;
  for (size_t i = 0; i < plans.size(); ++i) {
    const auto place = std::ranges::find_if(order, [&](size_t other) {
      return Better(allocation.goal, query.workload, figures[i], figures[other]);
    });
    order.insert(place, i);
  }
  ChosenPlan chosen{.allocation = std::move(allocation)};
  chosen.allocation.best = std::move(plans[order.front()]);
  chosen.allocation.runners_up.clear();
  for (const size_t i : order) {
    chosen.figures.push_back(figures[i]);
    if (i != order.front()) chosen.allocation.runners_up.push_back(std::move(plans[i]));
  }
  return chosen;
}

// Of the plans that the model finds for `searched`. They are simulated under the query's workload.
absl::StatusOr<ChosenPlan> Choose(const PlanQuery& query, const Workload& searched) {
  const StepCosts costs(query.profile);
  absl::StatusOr<Allocation> found = SearchPlan(costs, searched, query.devices, query.limits);
  if (!found.ok()) return found.status();
  std::vector<PlannedPlan> plans =
      Candidates(costs, searched, query.devices, query.limits, &*found);
  const Goal goal = found->goal;
  absl::StatusOr<ChosenPlan> chosen = Order(query, *std::move(found), std::move(plans));
  if (!chosen.ok() || query.in_effect == nullptr) return chosen;
  chosen->in_effect = *query.in_effect == chosen->allocation.best.plan
                          ? chosen->figures.front()
                          : SimulatePlan(query.SystemWith(*query.in_effect), query.workload, goal)
                                .value_or(SimulatedFigures());
  return chosen;
}

}  // namespace

absl::StatusOr<ChosenPlan> ChoosePlan(const PlanQuery& query) {
  absl::StatusOr<ChosenPlan> chosen = Choose(query, query.workload);
  if (!chosen.ok() || chosen->allocation.goal == Goal::kGoodput) return chosen;
  if (Holds(chosen->figures.front(), query.workload)) return chosen;
  if (chosen->in_effect && Holds(*chosen->in_effect, query.workload)) return chosen;
  Workload highest = query.workload;
  highest.rate.reset();
  return Choose(query, highest);
}

}  // namespace escan
