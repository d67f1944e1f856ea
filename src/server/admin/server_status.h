#pragma once

#include <vector>

#include "contracts/device.h"
#include "escan/v1/admin.pb.h"
#include "server/inference/server_state.h"

namespace escan {

// All that operators are told at once. `devices` are those that plans refer to. Blocks until each
// engine has answered.
v1::GetStatusResponse DescribeServer(const ServerState& state, const std::vector<Device>& devices,
                                     TimePoint started);

}  // namespace escan
