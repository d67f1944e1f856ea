#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "escan/cascade.h"
#include "escan/tensor.h"

namespace escan {

// Which of the cascade's outputs says to which class a row belongs: the one that the first stage's
// score is computed from, else the first that has a label. nullopt: none has.
std::optional<int> LabelOutput(const CascadeSpec& cascade);

// Whether rows of the output have a label: more than one element, or one integer.
bool HasLabel(const TensorSpec& output);

// The class of one row of an output that HasLabel: the index of its largest element, the first of
// equal ones, NaN never; of one element, its value. -1: every element is NaN.
int64_t LabelOf(const TensorSpec& output, const std::byte* row);

}  // namespace escan
