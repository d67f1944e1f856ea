#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "allocation/plan_search.h"
#include "allocation/search_grid.h"
#include "allocation/workload.h"
#include "escan/cascade.h"
#include "escan/profile.h"
#include "escan/time.h"

namespace escan {

// What the simulator makes of a plan.
struct SimulatedFigures {
  // Samples per second. kLatency: that were served at the workload's rate. kGoodput: the highest
  // rate that kept the objective, 0 if none did or it is less than that of a plan before; without
  // an objective, what a closed loop got that keeps all workers busy.
  double rate = 0;
  Seconds p99{};  // of the requests at that rate, or at the least one tried; infinite if more than
                  // 1 % were not served
  bool keeps_objective = false;  // the workload's, if it has one
};

// The best few plans of a search, in the order in which the simulator puts them.
struct ChosenPlan {
  Allocation allocation;                  // its best is the simulator's choice
  std::vector<SimulatedFigures> figures;  // of the best one, then of each of the runners-up

  const PlannedPlan& planned(size_t index) const {  // the one of these figures
    return index == 0 ? allocation.best : allocation.runners_up[index - 1];
  }
};

// Searches a plan with the model (SearchPlan), simulates the best few, and the best few with fewer
// classes of workers, with the scheduler's own code and puts them in order by what that shows.
// Goal::kLatency: those that keep the objective first, and by p99. Goal::kGoodput: by rate. Of
// plans that do equally well, the one that the model prefers.
//
// `cascade` is the profile's, and `workload` names a ratio for each of its stages. Plain code; any
// thread; blocks for the search and some tenths of a second of simulation. Equal arguments give
// equal plans. Errors: those of SearchPlan; INVALID_ARGUMENT when the workload does not suit the
// cascade.
absl::StatusOr<ChosenPlan> ChoosePlan(const Profile& profile, const CascadeSpec& cascade,
                                      const Workload& workload, int devices = 1,
                                      const SearchLimits& limits = {});

}  // namespace escan
