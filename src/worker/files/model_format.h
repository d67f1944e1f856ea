#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace escan {

// OK when the content of a model file is TorchScript, undamaged as far as its format tells: a zip
// archive with all its records and their checksums. InvalidArgument says what else it is, or where
// it is damaged.
absl::Status CheckModelFormat(std::string_view content);

}  // namespace escan
