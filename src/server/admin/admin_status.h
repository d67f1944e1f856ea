#pragma once

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "config/config.h"
#include "controller/control_loop.h"
#include "engine/engine_status.h"
#include "escan/v1/admin.pb.h"
#include "server/daemon/mps_report.h"
#include "server/protocol/answer_feedback.h"

namespace escan {

// A cascade as operators see it: what it does now, and whether that still is what the file says.
// `devices` are those that plans refer to.
v1::CascadeStatus DescribeStatus(const CascadeConfig& config, const std::vector<Device>& devices,
                                 const EngineStatus& status, ControlLoop::Mode mode);

// Adds what labels have shown of each stage, where there were any. `to` has the stages.
void DescribeAccuracy(const std::vector<StageAccuracy>& accuracy, v1::CascadeStatus* to);

// Whether the plan in effect is another than the file's, which has none where it is automatic.
bool PlanDiffers(const CascadeConfig& config, const Plan& plan, ControlLoop::Mode mode);

// A device with its place in the configuration's list.
v1::DeviceStatus DescribeDevice(int index, const Device& device);

v1::MpsStatus DescribeMps(const MpsReport& mps);

// Whether a stage has a threshold at all: it is scored, and is not the last.
bool CanExitEarly(const CascadeSpec& cascade, int stage);

// Thresholds by stage name as stage indices, all or none. InvalidArgument names the stage, what was
// found and what was expected.
absl::StatusOr<std::vector<std::pair<int, float>>> CheckThresholds(
    const CascadeSpec& cascade, const google::protobuf::Map<std::string, float>& thresholds);

void SetDuration(Duration duration, google::protobuf::Duration* to);

}  // namespace escan
