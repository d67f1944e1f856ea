#pragma once

#include "absl/strings/string_view.h"

namespace escan {

// Writes "escan-worker[PID]: FIELDS" as one line to standard error, which the daemon shares with
// its workers, in one call, so that lines of several processes do not mix. For changes of state
// only. FIELDS is key=value, separated by blanks. Thread-safe. (spdlog's fmt and libtorch's clash.)
void LogLine(absl::string_view fields);

}  // namespace escan
