#pragma once

#include <vector>

#include "config/node_reader.h"
#include "escan/tensor.h"

namespace escan {

enum class TensorRole {
  kInput,   // may declare a range
  kOutput,  // may not have a name that the server adds to answers
};

// A list of tensors with distinct names. Empty after a mistake.
std::vector<TensorSpec> ReadTensors(const NodeReader& node, TensorRole role);

}  // namespace escan
