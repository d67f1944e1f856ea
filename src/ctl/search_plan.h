#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ctl/profiled_cascade.h"
#include "escan/time.h"

namespace escan::ctl {

// Which plan is best for a load, see docs/allocation.md; answered without a daemon,
// from files.
struct PlanSearchCommand {
  ProfiledCascadeFiles files;
  std::vector<double> exit_ratios;    // one for each stage but the last
  std::optional<double> rate;         // samples per second
  int rows = 1;                       // samples in a request
  std::optional<Duration> objective;  // p99; that of the configuration where it is absent
  std::string output;                 // file for the plan as YAML; empty: none
};

// The choice, explained for people, or as JSON with the plan as YAML: of the best few plans of the
// model the one that the simulator puts first (SearchPlan), and what both say of each. Errors say
// what is wrong with which file or option, or why there is no plan. Blocks while it searches.
absl::StatusOr<std::string> RunPlanSearch(const PlanSearchCommand& command, bool json);

}  // namespace escan::ctl
