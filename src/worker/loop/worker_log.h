#pragma once

#include "absl/strings/string_view.h"

namespace escan {

// Writes "escan-worker[PID]: FIELDS" as one line to standard error, in one call: it is a pipe that
// the daemon always reads and shares among its workers, whose lines do not mix. For changes of
// state only. FIELDS is key=value, separated by blanks. Thread-safe. (spdlog's fmt and libtorch's
// clash.)
void LogLine(absl::string_view fields);

}  // namespace escan
