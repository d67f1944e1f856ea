#pragma once

#include <cstddef>

#include "escan/tensor.h"

namespace escan {

// Whether two versions say the same of a row in one output: of several floating-point numbers the
// place of the largest, of one a value within 1 %; of anything else the bytes.
bool Agree(const TensorSpec& output, const std::byte* a, const std::byte* b);

}  // namespace escan
