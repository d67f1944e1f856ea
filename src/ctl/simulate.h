#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ctl/profiled_cascade.h"
#include "simulation/simulated_load.h"

namespace escan::ctl {

// How a plan would serve a load; answered without a daemon, from files.
struct SimulateCommand {
  ProfiledCascadeFiles files;
  std::string plan;                 // empty: that of the configuration
  std::vector<double> exit_ratios;  // one for each stage but the last
  SimulatedLoad load;               // its exits are not read
};

// The report, as text or JSON. Errors say what is wrong with which file or option; each may have
// several lines. Blocks while it computes, about a second for a million samples.
absl::StatusOr<std::string> RunSimulation(const SimulateCommand& command, bool json);

}  // namespace escan::ctl
