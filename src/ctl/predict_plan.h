#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ctl/profiled_cascade.h"

namespace escan::ctl {

// How many samples per second plans can take, by the model of docs/allocation.md and by the
// simulator, with clients that keep all workers busy; answered without a daemon, from files. To be
// compared with measurements.
struct PlanPredictCommand {
  ProfiledCascadeFiles files;
  std::vector<std::string> plans;   // files
  std::vector<double> exit_ratios;  // one for each stage but the last
  int rows = 1;                     // samples in a request
  std::optional<int> limit;         // max_batch of all stages, instead of the plans'; of a stage
                                    // with smaller buckets the largest of these
};

// A line for each plan, as text or as JSON; a rate that is not bounded is null there. Errors say
// what is wrong with which file or option.
absl::StatusOr<std::string> PredictPlansFromFiles(const PlanPredictCommand& command, bool json);

}  // namespace escan::ctl
