#pragma once

#include <filesystem>

#include "config/node_reader.h"
#include "escan/cascade.h"

namespace escan {

// `audit:`, `calibration:`, `overload:` and `feedback:` of a cascade whose stages are read: what
// watches over its answers while it serves, and what it gives up of them before it refuses
// requests. `map` is the cascade's.
void ReadMonitoring(const MapReader& map, const std::filesystem::path& folder, CascadeSpec* spec);

}  // namespace escan
