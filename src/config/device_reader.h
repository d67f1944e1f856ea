#pragma once

#include <vector>

#include "config/node_reader.h"
#include "contracts/device.h"

namespace escan {

// `devices:` of a machine that has `gpus`. After a mistake the list still has one device for each
// element, so that a plan is not found to name one that is missing.
std::vector<Device> ReadDevices(const NodeReader& node, const std::vector<Device>& gpus);

}  // namespace escan
