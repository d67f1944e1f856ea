#pragma once

#include <limits>

#include "absl/status/statusor.h"
#include "allocation/goal.h"
#include "allocation/workload.h"
#include "escan/time.h"
#include "simulation/simulation.h"

namespace escan {

// The part of a goodput to which it is found: less is no difference between plans.
inline constexpr double kGoodputResolution = 0.02;

// What the simulator makes of a plan under a workload. As they stand, those of a plan that serves
// nothing.
struct SimulatedFigures {
  double capacity = 0;  // samples per second that a closed loop gets which keeps all workers busy
  // The highest rate, in samples per second, that was found to keep the objective, 0 if none was.
  // Goal::kLatency looks at the workload's rate only. Goal::kGoodput looks for it
  // (kGoodputResolution); without an objective it is the capacity.
  double goodput = 0;
  // Of the requests at the workload's rate; without one, at the goodput. Infinite if more than 1 %
  // of them were not served, or no goodput was found.
  Seconds p99{std::numeric_limits<double>::infinity()};
};

// Whether a plan with these figures takes the workload's rate with room to spare (kHeadroom),
// within the objective. Both are what was simulated: the p99 at that rate, and for the room what
// the plan serves when it is saturated. A p99 at the higher rate would ask for more than the search
// does, and the model's capacity is too high for many a plan of several classes. Never where the
// rate is not known.
bool Holds(const SimulatedFigures& figures, const Workload& workload);

// Simulates the plan under the workload, which names a ratio for each stage. All plans see the same
// arrivals and exits, so that their figures can be compared; equal arguments give equal figures.
// `least`: a plan of less goodput is given up, with the part of it that was seen until then.
// INVALID_ARGUMENT when the workload does not suit the cascade.
// Plain code; any thread; blocks for some hundredths of a second up to a second.
absl::StatusOr<SimulatedFigures> SimulatePlan(const SimulatedSystem& system,
                                              const Workload& workload, Goal goal,
                                              double least = 0);

// Whether the plan keeps the workload's objective at a rate; without an objective, whether it
// serves 99 % of the requests. One run; else as SimulatePlan.
absl::StatusOr<bool> KeepsObjective(const SimulatedSystem& system, const Workload& workload,
                                    double rate);

}  // namespace escan
