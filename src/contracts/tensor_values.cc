#include "contracts/tensor_values.h"

#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

template <typename T>
absl::Status CheckIntegers(const TensorSpec& input, int row, const std::byte* data) {
  const int64_t count = input.elements();
  for (int64_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, data + static_cast<size_t>(i) * sizeof(T), sizeof(T));
    if (std::cmp_greater_equal(value, input.range->min) &&
        std::cmp_less_equal(value, input.range->max)) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat("input '", input.name, "': row ", row,
                                                   ": element ", i, " is ", +value, ", not in [",
                                                   input.range->min, ", ", input.range->max, "]"));
  }
  return absl::OkStatus();
}

absl::Status CheckBools(const TensorSpec& input, int row, const std::byte* data) {
  const int64_t count = input.elements();
  for (int64_t i = 0; i < count; ++i) {
    const int value = std::to_integer<int>(data[i]);
    if (value <= 1) continue;
    return absl::InvalidArgumentError(absl::StrCat("input '", input.name, "': row ", row,
                                                   ": element ", i, " is ", value,
                                                   ", a BOOL is 0 or 1"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckValues(const TensorSpec& input, int row, const std::byte* data) {
  if (input.datatype == Datatype::kBool) return CheckBools(input, row, data);
  if (!input.range.has_value()) return absl::OkStatus();
  switch (input.datatype) {
    case Datatype::kUint8:
      return CheckIntegers<uint8_t>(input, row, data);
    case Datatype::kUint16:
      return CheckIntegers<uint16_t>(input, row, data);
    case Datatype::kUint32:
      return CheckIntegers<uint32_t>(input, row, data);
    case Datatype::kUint64:
      return CheckIntegers<uint64_t>(input, row, data);
    case Datatype::kInt8:
      return CheckIntegers<int8_t>(input, row, data);
    case Datatype::kInt16:
      return CheckIntegers<int16_t>(input, row, data);
    case Datatype::kInt32:
      return CheckIntegers<int32_t>(input, row, data);
    case Datatype::kInt64:
      return CheckIntegers<int64_t>(input, row, data);
    default:
      return absl::OkStatus();
  }
}

}  // namespace escan
