#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "escan/tensor.h"

namespace escan {

// Raw contents of `rows` rows of a tensor, in wire datatype: integers within its range, or the
// datatype's where it has none, truth values, floating-point numbers in [0, 1). The same from the
// same state of `random` with every standard library.
std::string RandomTensor(const TensorSpec& tensor, int64_t rows, std::mt19937_64& random);

}  // namespace escan
