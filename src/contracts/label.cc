#include "contracts/label.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace escan {
namespace {

template <typename T>
T Element(const std::byte* row, int64_t index) {
  T value;
  std::memcpy(&value, row + static_cast<size_t>(index) * sizeof(T), sizeof(T));
  return value;
}

// The bits of a 16-bit float as a number of the same order; NaN, which lies beyond `infinity`, is
// none.
template <uint16_t infinity>
float OrderOf(const std::byte* row, int64_t index) {
  const auto bits = Element<uint16_t>(row, index);
  const auto magnitude = static_cast<uint16_t>(bits & 0x7fff);
  if (magnitude > infinity) return std::numeric_limits<float>::quiet_NaN();
  return (bits & 0x8000) != 0 ? -static_cast<float>(magnitude) : static_cast<float>(magnitude);
}

template <typename T>
bool IsNan(T value) {
  if constexpr (std::is_floating_point_v<T>) return std::isnan(value);
  return false;
}

template <typename Read>
int64_t Largest(int64_t count, Read read) {
  int64_t largest = -1;
  for (int64_t i = 0; i < count; ++i) {
    const auto value = read(i);
    if (IsNan(value)) continue;
    if (largest < 0 || value > read(largest)) largest = i;
  }
  return largest;
}

template <typename T>
int64_t LabelOfIntegers(int64_t count, const std::byte* row) {
  if (count == 1) return static_cast<int64_t>(Element<T>(row, 0));
  return Largest(count, [&](int64_t i) { return Element<T>(row, i); });
}

}  // namespace

bool HasLabel(const TensorSpec& output) {
  return output.elements() > 1 || IsInteger(output.datatype);
}

std::optional<int> LabelOutput(const CascadeSpec& cascade) {
  if (cascade.stages.empty()) return std::nullopt;
  const StageSpec& first = cascade.stages.front();
  std::optional<int> found;
  for (size_t i = 0; i < cascade.outputs.size(); ++i) {
    if (!HasLabel(cascade.outputs[i])) continue;
    const bool scored = first.exit.score != ExitScore::kNone &&
                        first.exit.score != ExitScore::kOutput && i < first.answer.size() &&
                        first.answer[i] == first.exit.output;
    if (scored) return static_cast<int>(i);
    if (!found.has_value()) found = static_cast<int>(i);
  }
  return found;
}

int64_t LabelOf(const TensorSpec& output, const std::byte* row) {
  const int64_t count = output.elements();
  switch (output.datatype) {
    case Datatype::kBool:
    case Datatype::kUint8:
      return LabelOfIntegers<uint8_t>(count, row);
    case Datatype::kUint16:
      return LabelOfIntegers<uint16_t>(count, row);
    case Datatype::kUint32:
      return LabelOfIntegers<uint32_t>(count, row);
    case Datatype::kUint64:
      return LabelOfIntegers<uint64_t>(count, row);
    case Datatype::kInt8:
      return LabelOfIntegers<int8_t>(count, row);
    case Datatype::kInt16:
      return LabelOfIntegers<int16_t>(count, row);
    case Datatype::kInt32:
      return LabelOfIntegers<int32_t>(count, row);
    case Datatype::kInt64:
      return LabelOfIntegers<int64_t>(count, row);
    case Datatype::kFp16:
      return Largest(count, [&](int64_t i) { return OrderOf<0x7c00>(row, i); });
    case Datatype::kBf16:
      return Largest(count, [&](int64_t i) { return OrderOf<0x7f80>(row, i); });
    case Datatype::kFp32:
      return Largest(count, [&](int64_t i) { return Element<float>(row, i); });
    case Datatype::kFp64:
      return Largest(count, [&](int64_t i) { return Element<double>(row, i); });
  }
  return -1;
}

}  // namespace escan
