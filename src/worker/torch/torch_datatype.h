#pragma once

#include <c10/core/ScalarType.h>

#include <optional>
#include <string>

#include "escan/tensor.h"

namespace escan {

c10::ScalarType ToScalarType(Datatype datatype);

// The protocol's name of a tensor's type, "FP32"; torch's own where the protocol has none.
std::string DatatypeName(c10::ScalarType type);

}  // namespace escan
