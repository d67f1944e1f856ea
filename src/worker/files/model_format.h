#pragma once

#include <string_view>

#include "absl/status/statusor.h"

namespace escan {

enum class ModelFormat {
  kTorchScript,
  kAotInductor,  // machine code that AOTInductor made of an exported program, a .pt2 file
};

// What the content of a model file is, undamaged as far as its format tells: a zip archive with all
// its records and their checksums. InvalidArgument says what else it is, or where it is damaged.
absl::StatusOr<ModelFormat> FindModelFormat(std::string_view content);

}  // namespace escan
