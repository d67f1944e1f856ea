#pragma once

#include "escan/cascade.h"

namespace escan {

// The tensor that a stage of `cascade` reads.
const TensorSpec& InputOf(const CascadeSpec& cascade, const TensorRef& ref);

// A cascade of one stage of another: what the stage reads from earlier ones is an input of this
// cascade.
CascadeSpec StageAlone(const CascadeSpec& cascade, int stage);

}  // namespace escan
