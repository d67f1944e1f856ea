#include "simulation/plan_search.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "allocation/worker_count.h"
#include "simulation/simulated_climb.h"

namespace escan {
namespace {

constexpr double kEqual = 1e-3;       // figures that differ by less are equal
constexpr double kAboutEqual = 0.05;  // up to this the simulator cannot tell which is better
constexpr size_t kSimpler = 2;        // candidates with each smaller number of classes

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
    absl::StatusOr<Allocation> simpler = SearchByModel(costs, workload, devices, limits);
    if (!simpler.ok()) break;
    found->evaluations += simpler->evaluations;
    if (simpler->goal != found->goal) continue;
    add(simpler->best);
    simpler->runners_up.resize(std::min(simpler->runners_up.size(), kSimpler - 1));
    std::ranges::for_each(simpler->runners_up, add);
  }
  return plans;
}

// A plan that was found, and what the simulator makes of it.
struct Judged {
  PlannedPlan planned;
  SimulatedFigures figures;
};

// One choice of a plan: what was found so far, the best first.
class Choice {
 public:
  // `searched`: what the model is asked for. Plans are simulated under the query's workload.
  Choice(const PlanQuery& query, const Workload& searched, const StepCosts& costs, Goal goal)
      : query_(query), searched_(searched), costs_(costs), goal_(goal) {}

  absl::Status Simulate(std::vector<PlannedPlan> plans) {
    double best = 0;
    for (PlannedPlan& planned : plans) {
      if (query_.IsCancelled()) return absl::CancelledError(kCancelled);
      const absl::StatusOr<SimulatedFigures> figures =
          SimulatePlan(query_.SystemWith(planned.plan), query_.workload, goal_, best);
      if (!figures.ok()) return figures.status();
      best = std::max(best, figures->goodput);
      Insert({.planned = std::move(planned), .figures = *figures});
    }
    return absl::OkStatus();
  }

  // Adds what the simulator prefers. Not where even the best does not hold the workload: then plans
  // for the highest rate take their place.
  absl::Status Climb() {
    if (goal_ == Goal::kLatency && !Holds(order_.front().figures, query_.workload)) {
      return absl::OkStatus();
    }
    const SimulatedClimb climb(query_, costs_, goal_);
    const auto simplest = Simplest();
    SimulatedPlan start{.plan = simplest->planned.plan, .figures = simplest->figures};
    absl::StatusOr<std::optional<SimulatedPlan>> simple = climb.BestSimple(start.figures);
    if (!simple.ok()) return simple.status();
    if (simple->has_value()) start = **std::move(simple);
    absl::StatusOr<SimulatedPlan> found = climb.Climb(std::move(start));
    if (!found.ok()) return found.status();
    Add(*std::move(found));
    return absl::OkStatus();
  }

  void PutSimplestFirst() {
    const auto simplest = Simplest();
    std::rotate(order_.begin(), simplest, simplest + 1);
  }

  ChosenPlan Finish(Allocation allocation) && {
    ChosenPlan chosen{.allocation = std::move(allocation)};
    chosen.allocation.best = std::move(order_.front().planned);
    chosen.allocation.runners_up.clear();
    for (size_t i = 0; i < order_.size(); ++i) {
      chosen.figures.push_back(order_[i].figures);
      if (i > 0) chosen.allocation.runners_up.push_back(std::move(order_[i].planned));
    }
    return chosen;
  }

 private:
  // Of those that do about as well as the best the one of the fewest workers.
  std::vector<Judged>::iterator Simplest() {
    auto simplest = order_.begin();
    for (auto it = order_.begin(); it != order_.end(); ++it) {
      const bool as_good =
          !IsBetter(goal_, query_.workload, order_.front().figures, it->figures, kAboutEqual);
      const int workers = WorkerCount(it->planned.plan);
      if (as_good && workers < WorkerCount(simplest->planned.plan)) simplest = it;
    }
    return simplest;
  }

  void Add(SimulatedPlan found) {
    const bool known = std::ranges::any_of(
        order_, [&](const Judged& other) { return other.planned.plan == found.plan; });
    if (known) return;
    PlannedPlan planned{.prediction = Predict(costs_, searched_, found.plan)};
    planned.plan = std::move(found.plan);
    Insert({.planned = std::move(planned), .figures = found.figures});
  }

  void Insert(Judged judged) {
    const auto place = std::ranges::find_if(order_, [&](const Judged& other) {
      return IsBetter(goal_, query_.workload, judged.figures, other.figures, kEqual);
    });
    order_.insert(place, std::move(judged));
  }

  const PlanQuery& query_;
  const Workload& searched_;
  const StepCosts& costs_;
  const Goal goal_;
  std::vector<Judged> order_;
};

// Of the plans that the model finds for `searched`, and what the simulator prefers to them.
absl::StatusOr<ChosenPlan> Choose(const PlanQuery& query, const Workload& searched) {
  const StepCosts costs(query.profile);
  absl::StatusOr<Allocation> found = SearchByModel(costs, searched, query.devices, query.limits);
  if (!found.ok()) return found.status();
  const Goal goal = found->goal;
  Choice choice(query, searched, costs, goal);
  absl::Status status =
      choice.Simulate(Candidates(costs, searched, query.devices, query.limits, &*found));
  if (status.ok()) status = choice.Climb();
  if (!status.ok()) return status;
  choice.PutSimplestFirst();
  ChosenPlan chosen = std::move(choice).Finish(*std::move(found));
  if (query.in_effect == nullptr) return chosen;
  chosen.in_effect = *query.in_effect == chosen.allocation.best.plan
                         ? chosen.figures.front()
                         : SimulatePlan(query.SystemWith(*query.in_effect), query.workload, goal)
                               .value_or(SimulatedFigures());
  return chosen;
}

}  // namespace

absl::StatusOr<ChosenPlan> SearchPlan(const PlanQuery& query) {
  absl::StatusOr<ChosenPlan> chosen = Choose(query, query.workload);
  if (!chosen.ok() || chosen->allocation.goal == Goal::kGoodput) return chosen;
  if (Holds(chosen->figures.front(), query.workload)) return chosen;
  if (chosen->in_effect && Holds(*chosen->in_effect, query.workload)) return chosen;
  Workload highest = query.workload;
  highest.rate.reset();
  return Choose(query, highest);
}

}  // namespace escan
