#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/config.h"
#include "profiling/share_verification.h"
#include "server/daemon/automatic_plans.h"
#include "server/daemon/local_workers.h"

namespace escan {

// What `escand --verify` looks at.
struct VerifyCommand {
  Config config;
  Profiles profiles;  // that hold on this machine
  // False: the shares of each cascade's plan, or of its profile where the plan follows the load.
  bool all_shares = false;
  WorkerPrograms programs;
  TorchOptions torch;
};

// Whether the stages of every cascade answer rightly on this machine's first device, at each share
// that is asked for: prints a table of stage and share, with the way that each is computed in and
// the time of a step of each bucket. Blocks for seconds a share; a signal that can be read from
// `signal_fd` (a signalfd) ends it: Cancelled. DataLoss when anything answers wrongly,
// FailedPrecondition when a worker cannot run.
absl::Status Verify(const VerifyCommand& command, int signal_fd, std::ostream& out);

// The same at the shares of the plans alone, without a table: whether all stages can be loaded and
// answer rightly. The error has a line for each that does not.
absl::Status LoadAll(const VerifyCommand& command, int signal_fd);

// What is printed of a cascade, Markdown.
std::string VerificationTable(const CascadeSpec& cascade,
                              const std::vector<ShareVerification>& shares);

}  // namespace escan
