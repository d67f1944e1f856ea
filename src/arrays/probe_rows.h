#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "escan/cascade.h"

namespace escan {

// Rows of requests that workers are checked with: the first kMostProbeRows of the cascade's `probe`
// file, an .npz with an array for each input, named as the input is and of its datatype, [N,
// shape...]; or, where there is none, the same random ones at every call, within declared ranges.
// For each input its rows, one behind the other, all inputs with as many rows. Errors name the
// file, the array, what was found and what was expected.
absl::StatusOr<std::vector<std::string>> ReadProbeRows(const CascadeSpec& cascade);

inline constexpr size_t kMostProbeRows = 16;

}  // namespace escan
