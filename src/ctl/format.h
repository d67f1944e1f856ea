#pragma once

#include <string>

#include "escan/v1/admin.pb.h"

namespace escan::ctl {

// Answers of the daemon as text for people. Every line ends with a line break.
std::string FormatStatus(const v1::GetStatusResponse& status);
std::string FormatHealth(const v1::GetHealthResponse& health);
std::string FormatPlan(const v1::GetPlanResponse& plan);  // YAML
std::string FormatPlanChange(const v1::SetPlanResponse& change);
std::string FormatPlanHistory(const v1::GetPlanHistoryResponse& history);
std::string FormatReload(const v1::ReloadResponse& reload);
std::string FormatRollout(const v1::RolloutStatus& rollout);
std::string FormatDrain(const v1::DrainResponse& drain);

// Any answer as JSON: the names of the protocol, every field present.
std::string FormatJson(const google::protobuf::Message& message);

}  // namespace escan::ctl
