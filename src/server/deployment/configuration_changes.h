#pragma once

#include <string>

#include "absl/status/status.h"
#include "config/config.h"

namespace escan {

// Whether a daemon that serves `served` can go on with `next`: FailedPrecondition with a line for
// each key that takes a restart. Cascades may differ.
absl::Status CheckTakesNoRestart(const Config& served, const Config& next);

// What a cascade is served from: its configuration, and which files lie at its paths. Reads no
// content: a file that is written anew is another one.
std::string Fingerprint(const CascadeConfig& cascade);

}  // namespace escan
