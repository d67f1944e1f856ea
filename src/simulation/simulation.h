#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "contracts/plan.h"
#include "contracts/profile.h"
#include "escan/cascade.h"
#include "simulation/simulated_load.h"
#include "simulation/simulation_report.h"

namespace escan {

// What is simulated. All outlive the call.
struct SimulatedSystem {
  const CascadeSpec& cascade;
  const Plan& plan;        // one that suits the cascade; devices are equal, as many as it names
  const Profile& profile;  // of the cascade, on such a device
};

// One ratio in [0, 1] for each stage but the last; InvalidArgument saying what was found instead.
absl::Status CheckExitRatios(const std::vector<double>& ratios, const CascadeSpec& cascade);

// Runs the scheduler with the plan under the load, in virtual time: docs/simulation.md says what
// takes how long. Equal arguments give equal reports. InvalidArgument when the load does not suit
// the cascade, saying what was found and what was expected. Plain code; blocks until it is done, a
// second or so for a million samples; any thread.
absl::StatusOr<SimulationReport> Simulate(const SimulatedSystem& system, const SimulatedLoad& load);

}  // namespace escan
