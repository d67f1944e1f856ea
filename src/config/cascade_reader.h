#pragma once

#include <filesystem>
#include <vector>

#include "config/config.h"
#include "config/node_reader.h"

namespace escan {

// One element of `cascades:`. Files are relative to `folder`; the plan's workers run on `devices`.
// What it answers is of use only when no mistake was noted.
CascadeConfig ReadCascade(const NodeReader& node, const std::filesystem::path& folder,
                          const std::vector<Device>& devices, MpsConfig::Mode mps);

}  // namespace escan
