#pragma once

#include "absl/status/status.h"
#include "escan/cascade.h"
#include "scheduling/scheduler.h"

namespace escan {

// What a client is told about how its request ended; OK for kOk.
absl::Status ToStatus(const Outcome& outcome, const CascadeSpec& cascade);

}  // namespace escan
