#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "escan/tensor.h"
#include "escan/time.h"

namespace escan {

// The texts that stand for one value in a configuration. Errors are InvalidArgument and say what
// was found and what was expected.

// A number and a unit: "500us", "20ms", "1.5s", "1m"; at most a day.
absl::StatusOr<Duration> ParseDuration(const std::string& text);

// Exact, with the largest unit that gives a whole number.
std::string FormatDuration(Duration duration);

// Bytes of a device's memory, as a number and a binary unit: "512MiB", "1.5GiB"; whole MiB, from
// 1 MiB to 1 TiB.
absl::StatusOr<size_t> ParseMemorySize(const std::string& text);

// Of whole MiB; exact, with the largest unit that gives a whole number.
std::string FormatMemorySize(size_t bytes);

// The name of a cascade, a stage or a tensor: 1 to 64 letters, digits, '_' and '-'.
absl::StatusOr<std::string> ParseName(const std::string& text);

// A datatype of fixed size, by its name in the Open Inference Protocol.
absl::StatusOr<Datatype> ParseTensorDatatype(const std::string& text);

// The shortest text that reads back to the same number.
std::string FormatNumber(float number);

}  // namespace escan
