#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "allocation/goal.h"
#include "allocation/search_grid.h"
#include "allocation/step_costs.h"
#include "contracts/plan.h"
#include "simulation/plan_query.h"
#include "simulation/simulated_figures.h"

namespace escan {

// Whether a plan does better than another one in the simulator, by the part `gain` at least.
// Goal::kLatency: one that holds the workload (Holds) does; of two that do, or do not, the one of
// less p99. Goal::kGoodput: the one of more goodput.
bool IsBetter(Goal goal, const Workload& workload, const SimulatedFigures& a,
              const SimulatedFigures& b, double gain);

struct SimulatedPlan {
  Plan plan;
  SimulatedFigures figures;
};

// Looks for plans that the simulator prefers to those of the search, which the model of the p99
// misjudges where batches are small and many workers are busy. Plain code; one thread; a simulation
// that cannot become better ends early.
class SimulatedClimb {
 public:
  // The query and the costs of its profile outlive this.
  SimulatedClimb(const PlanQuery& query, const StepCosts& costs, Goal goal)
      : query_(query), costs_(costs), goal_(goal) {}

  // The best of simple plans with one credit, each share and some batch limits: equal workers that
  // host all stages, with batches regrouped or not, or one worker for each stage. Nothing if none
  // is better than `least`.
  absl::StatusOr<std::optional<SimulatedPlan>> BestSimple(const SimulatedFigures& least) const;

  // What the plan becomes when it is changed in one thing after the other (VariantsOf), as long as
  // that makes it better.
  absl::StatusOr<SimulatedPlan> Climb(SimulatedPlan plan) const;

 private:
  void AddReplicas(const SearchGrid& grid, std::vector<Plan>* plans) const;
  void AddPipelines(const SearchGrid& grid, std::vector<Plan>* plans) const;
  void AddWithEachShare(const SearchGrid& grid, Candidate candidate,
                        std::vector<Plan>* plans) const;
  absl::StatusOr<std::optional<SimulatedPlan>> Try(const Plan& plan, double gain,
                                                   const SimulatedFigures& best) const;
  bool MayBeBetter(const Plan& plan, const SimulatedFigures& best) const;
  absl::StatusOr<bool> IsWorthMore(const Plan& plan, double gain,
                                   const SimulatedFigures& best) const;

  const PlanQuery& query_;
  const StepCosts& costs_;
  const Goal goal_;
};

}  // namespace escan
