#pragma once

#include <filesystem>
#include <vector>

#include "config/node_reader.h"
#include "escan/calibration.h"
#include "escan/cascade.h"

namespace escan {

// What a calibration found out about each stage of the cascade, from a file in the form of
// docs/calibration.md. Mistakes are noted with the file's lines; that there is no such file, at
// `node`, which names it. Empty after a mistake.
std::vector<StageCalibration> ReadCalibrationFile(const std::filesystem::path& file,
                                                  const CascadeSpec& cascade,
                                                  const NodeReader& node);

}  // namespace escan
