#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "simulation/simulated_load.h"

namespace escan::ctl {

// How a plan would serve a load; answered without a daemon, from files.
struct SimulateCommand {
  std::string config;
  std::string profile;
  std::string plan;                 // empty: that of the configuration
  std::string model;                // may be empty where there is one cascade
  int devices = 1;                  // as many as the one that was profiled
  std::vector<double> exit_ratios;  // one for each stage but the last
  SimulatedLoad load;               // its exits are not read
};

// The report, as text or JSON. Errors say what is wrong with which file or option; each may have
// several lines. Blocks while it computes, about a second for a million samples.
absl::StatusOr<std::string> RunSimulation(const SimulateCommand& command, bool json);

}  // namespace escan::ctl
