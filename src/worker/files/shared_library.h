#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace escan {

// Makes a shared library for 64-bit x86 Linux, whose content this is, need the library `to`, which
// it needs too, in the place of `from`; one that does not need both stays as it is. InvalidArgument
// when the content is no such library.
absl::Status ReplaceNeeded(std::string* library, std::string_view from, std::string_view to);

}  // namespace escan
