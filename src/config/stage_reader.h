#pragma once

#include <filesystem>

#include "config/node_reader.h"
#include "escan/cascade.h"

namespace escan {

// One element of `stages:`, which follows the stages that `cascade` already has. Files are relative
// to `folder`. What could not be read stays empty, in the answer as in `cascade`, and nothing is
// checked against it: one mistake is not reported again as its consequences.
StageSpec ReadStage(const NodeReader& node, const CascadeSpec& cascade, bool last,
                    const std::filesystem::path& folder);

// The keys precision, layout and execution of a map, all of which may be left out.
GpuOptions ReadGpuOptions(const MapReader& map);

}  // namespace escan
