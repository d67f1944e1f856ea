#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "escan/tensor.h"

namespace escan {

// How far an element may lie from the right one, as a part of the largest absolute value that the
// right answers hold: what rounding each intermediate value to 11 bits, as FP16 does, may cost.
// Wrong kernels miss by the whole.
inline constexpr double kFp16Tolerance = 0.05;

// The largest absolute value among the elements of raw contents that are finite; 0 if there are
// none, and for datatypes that are not floating-point.
double LargestFinite(Datatype datatype, std::string_view contents);

// True when an element is NaN; false for datatypes that are not floating-point.
bool HoldsNan(Datatype datatype, std::string_view contents);

// Compares two tensors of the same size, and says of the first element that is wrong: "'scores'[3]
// is nan where 0.02 is right". Floating-point elements are wrong when they differ by more than
// `allowed`, or where one is NaN or infinite and the other is not the same; integers and truth
// values when they are not equal.
std::optional<std::string> FindDifference(const TensorSpec& tensor, std::string_view found,
                                          std::string_view right, double allowed);

}  // namespace escan
