#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace escan {

// The fixed-size datatypes of the Open Inference Protocol (BYTES has no fixed size and is refused).
enum class Datatype : uint8_t {
  kBool,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFp16,
  kFp32,
  kFp64,
  kBf16,
};

// Bytes of one element.
size_t ByteSize(Datatype datatype);

// The protocol's name, "UINT8" for kUint8.
std::string_view Name(Datatype datatype);

// Inverse of Name(); nullopt for anything else, "BYTES" included.
std::optional<Datatype> ParseDatatype(std::string_view name);

// True for the signed and unsigned integers; false for BOOL and the floating-point datatypes.
bool IsInteger(Datatype datatype);

// Closed interval of the values that an integer input may hold; checked at admission.
struct IntegerRange {
  int64_t min = 0;
  int64_t max = 0;

  friend bool operator==(const IntegerRange&, const IntegerRange&) = default;
};

// The values that an integer datatype can hold, as far as int64_t reaches.
IntegerRange ValuesOf(Datatype datatype);

// A named tensor of one row: `shape` has no batch dimension, and every dimension is positive.
// An empty shape is a scalar a row.
struct TensorSpec {
  std::string name;
  Datatype datatype = Datatype::kFp32;
  std::vector<int64_t> shape;
  std::optional<IntegerRange> range;  // integer inputs only

  int64_t elements() const;  // of one row
  size_t row_bytes() const { return static_cast<size_t>(elements()) * ByteSize(datatype); }

  friend bool operator==(const TensorSpec&, const TensorSpec&) = default;
};

// "[N,28,28]" for the per-row shape {28, 28}: how messages show a batched shape.
std::string BatchedShapeString(const std::vector<int64_t>& row_shape);

// "[2,28,28]": a shape as it is.
std::string ShapeString(const std::vector<int64_t>& shape);

}  // namespace escan
