#include "arrays/tensor_comparison.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

template <typename T>
T Element(std::string_view contents, size_t index) {
  T value;
  std::memcpy(&value, contents.data() + index * sizeof(T), sizeof(T));
  return value;
}

// Each kind of element: how it is stored, and its value.
template <typename Stored>
struct Plain {
  using Bits = Stored;
  static Stored Value(Bits bits) { return bits; }
};

// IEEE 754 binary16.
struct Half {
  using Bits = uint16_t;
  static double Value(Bits bits) {
    const int exponent = (bits >> 10) & 0x1f;
    const int fraction = bits & 0x3ff;
    double value;
    if (exponent == 0x1f) {
      value = fraction == 0 ? HUGE_VAL : std::nan("");
    } else if (exponent == 0) {
      value = std::ldexp(fraction, -24);
    } else {
      value = std::ldexp(fraction + 1024, exponent - 25);
    }
    return (bits & 0x8000) != 0 ? -value : value;
  }
};

// The upper half of an FP32.
struct Brain {
  using Bits = uint16_t;
  static double Value(Bits bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
};

// Calls `visit` with the kind of a floating-point datatype; `otherwise` is the result for others.
template <typename Result, typename Visit>
Result WithFloatingPoint(Datatype datatype, Result otherwise, const Visit& visit) {
  switch (datatype) {
    case Datatype::kFp16:
      return visit(Half());
    case Datatype::kBf16:
      return visit(Brain());
    case Datatype::kFp32:
      return visit(Plain<float>());
    case Datatype::kFp64:
      return visit(Plain<double>());
    default:
      return otherwise;
  }
}

template <typename Kind>
double Value(std::string_view contents, size_t index) {
  return Kind::Value(Element<typename Kind::Bits>(contents, index));
}

template <typename Kind>
size_t Count(std::string_view contents) {
  return contents.size() / sizeof(typename Kind::Bits);
}

bool Differ(double found, double right, double allowed) {
  if (std::isfinite(found) && std::isfinite(right)) return std::abs(found - right) > allowed;
  return std::isnan(found) ? !std::isnan(right) : found != right;
}

std::string Describe(const TensorSpec& tensor, size_t index, const std::string& found,
                     const std::string& right) {
  // A tensor of one element a row has no index.
  const std::string place = tensor.shape.empty() ? "" : absl::StrCat("[", index, "]");
  return absl::StrCat("'", tensor.name, "'", place, " is ", found, " where ", right, " is right");
}

template <typename T>
std::string AsDecimal(std::string_view contents, size_t index) {
  return absl::StrCat(Element<T>(contents, index));
}

std::string Decimal(Datatype datatype, std::string_view contents, size_t index) {
  switch (datatype) {
    case Datatype::kInt8:
      return AsDecimal<int8_t>(contents, index);
    case Datatype::kInt16:
      return AsDecimal<int16_t>(contents, index);
    case Datatype::kInt32:
      return AsDecimal<int32_t>(contents, index);
    case Datatype::kInt64:
      return AsDecimal<int64_t>(contents, index);
    case Datatype::kUint16:
      return AsDecimal<uint16_t>(contents, index);
    case Datatype::kUint32:
      return AsDecimal<uint32_t>(contents, index);
    case Datatype::kUint64:
      return AsDecimal<uint64_t>(contents, index);
    default:
      return AsDecimal<uint8_t>(contents, index);
  }
}

}  // namespace

double LargestFinite(Datatype datatype, std::string_view contents) {
  return WithFloatingPoint(datatype, 0.0, [&](auto kind) {
    using Kind = decltype(kind);
    double largest = 0;
    for (size_t i = 0; i < Count<Kind>(contents); ++i) {
      const double value = std::abs(Value<Kind>(contents, i));
      if (std::isfinite(value)) largest = std::max(largest, value);
    }
    return largest;
  });
}

bool HoldsNan(Datatype datatype, std::string_view contents) {
  return WithFloatingPoint(datatype, false, [&](auto kind) {
    using Kind = decltype(kind);
    for (size_t i = 0; i < Count<Kind>(contents); ++i) {
      if (std::isnan(Value<Kind>(contents, i))) return true;
    }
    return false;
  });
}

std::optional<std::string> FindDifference(const TensorSpec& tensor, std::string_view found,
                                          std::string_view right, double allowed) {
  if (found == right) return std::nullopt;
  const auto compare_numbers = [&](auto kind) -> std::optional<std::string> {
    using Kind = decltype(kind);
    for (size_t i = 0; i < Count<Kind>(right); ++i) {
      const double value = Value<Kind>(found, i);
      const double expected = Value<Kind>(right, i);
      if (Differ(value, expected, allowed)) {
        return Describe(tensor, i, absl::StrCat(value), absl::StrCat(expected));
      }
    }
    return std::nullopt;
  };
  const size_t bytes = ByteSize(tensor.datatype);
  const auto mismatch = std::mismatch(right.begin(), right.end(), found.begin()).first;
  const size_t first = static_cast<size_t>(mismatch - right.begin()) / bytes;
  if (IsInteger(tensor.datatype) || tensor.datatype == Datatype::kBool) {
    return Describe(tensor, first, Decimal(tensor.datatype, found, first),
                    Decimal(tensor.datatype, right, first));
  }
  return WithFloatingPoint(tensor.datatype, std::optional<std::string>(), compare_numbers);
}

}  // namespace escan
