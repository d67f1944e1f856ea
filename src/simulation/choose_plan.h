#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "allocation/plan_search.h"
#include "allocation/search_grid.h"
#include "allocation/workload.h"
#include "escan/cascade.h"
#include "escan/plan.h"
#include "escan/profile.h"
#include "simulation/simulated_figures.h"

namespace escan {

// What a plan is asked for. What it refers to outlives the search.
struct PlanQuery {
  const Profile& profile;
  const CascadeSpec& cascade;  // the profile's
  Workload workload;           // names a ratio for each of its stages
  int devices = 1;
  SearchLimits limits{};
  const Plan* in_effect = nullptr;  // any valid plan, to compare with; null: none

  SimulatedSystem SystemWith(const Plan& plan) const {
    return {.cascade = cascade, .plan = plan, .profile = profile};
  }
};

// The best few plans of a search, in the order in which the simulator puts them.
struct ChosenPlan {
  Allocation allocation;                      // its best is the simulator's choice
  std::vector<SimulatedFigures> figures;      // of the best one, then of each of the runners-up
  std::optional<SimulatedFigures> in_effect;  // of the query's plan in effect

  const PlannedPlan& planned(size_t index) const {  // the one of these figures
    return index == 0 ? allocation.best : allocation.runners_up[index - 1];
  }
};

// Searches a plan with the model (SearchPlan), simulates the best few, and the best few with fewer
// classes of workers, with the scheduler's own code and puts them in order by what that shows.
// Goal::kLatency: those that hold the workload (Holds) first, and by p99; if none does, nor the
// plan in effect, then the best few for the highest rate take their place. Goal::kGoodput: by
// goodput. Of plans that do equally well, the one that the model prefers. The plan in effect is
// simulated in the same way; one that cannot be counts as one that serves nothing.
//
// Plain code; any thread; blocks for the search, at most two of them, and their simulations, which
// take some tenths of a second. Equal arguments give equal plans. Errors: those of SearchPlan;
// INVALID_ARGUMENT when the workload does not suit the cascade.
absl::StatusOr<ChosenPlan> ChoosePlan(const PlanQuery& query);

}  // namespace escan
