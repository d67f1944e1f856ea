#pragma once

#include <filesystem>

#include "config/config.h"
#include "config/node_reader.h"

namespace escan {

// One element of `cascades:`. Files are relative to `folder`. What it answers is of use only when
// no mistake was noted.
CascadeConfig ReadCascade(const NodeReader& node, const std::filesystem::path& folder,
                          int device_count);

}  // namespace escan
