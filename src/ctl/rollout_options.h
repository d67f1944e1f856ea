#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "escan/v1/admin.pb.h"

// What is written after `escanctl rollout`. Errors are InvalidArgument and say what was expected.
namespace escan::ctl {

// "5%" or "0.05" -> 0.05.
absl::StatusOr<double> ParsePart(const std::string& text);

// "lite2=v2.pt" -> the stage's model, as an absolute path.
absl::Status AddStageModel(const std::string& text, v1::StartRolloutRequest* request);

// "agreement<97%,p99>20ms,errors>1%": each at most once.
absl::StatusOr<v1::RolloutConditions> ParseConditions(const std::string& text);

// "10m".
absl::Status SetRolloutDuration(const std::string& text, google::protobuf::Duration* duration);

}  // namespace escan::ctl
