#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/config.h"

namespace escan {

// Whether a daemon that serves `served` can go on with `next`: FailedPrecondition with a line for
// each key that takes a restart. Cascades may differ.
absl::Status CheckTakesNoRestart(const Config& served, const Config& next);

// What a cascade is served from: its configuration, and which files lie at its paths. Reads no
// content: a file that is written anew is another one.
std::string Fingerprint(const CascadeConfig& cascade);

// The cascade with other models of some stages, by the stage's name. InvalidArgument: there is no
// such stage, or it has no model.
absl::StatusOr<CascadeConfig> WithModels(CascadeConfig cascade,
                                         const std::map<std::string, std::string>& models);

}  // namespace escan
