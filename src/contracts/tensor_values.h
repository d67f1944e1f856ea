#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "escan/tensor.h"

namespace escan {

// Looks at the elements of one input's row, in memory form: InvalidArgument naming the row and the
// value for one outside the input's declared range, and for a BOOL that is neither 0 nor 1.
absl::Status CheckValues(const TensorSpec& input, int row, const std::byte* data);

}  // namespace escan
