#include "server/protocol/typed_contents.h"

#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace escan {
namespace {

using inference::InferTensorContents;

enum class Field { kNone, kBool, kInt, kInt64, kUint, kUint64, kFp32, kFp64, kBytes };

struct FieldCount {
  Field field;
  absl::string_view name;
  int elements;
};

std::array<FieldCount, 8> Count(const InferTensorContents& contents) {
  return {{{Field::kBool, "bool_contents", contents.bool_contents_size()},
           {Field::kInt, "int_contents", contents.int_contents_size()},
           {Field::kInt64, "int64_contents", contents.int64_contents_size()},
           {Field::kUint, "uint_contents", contents.uint_contents_size()},
           {Field::kUint64, "uint64_contents", contents.uint64_contents_size()},
           {Field::kFp32, "fp32_contents", contents.fp32_contents_size()},
           {Field::kFp64, "fp64_contents", contents.fp64_contents_size()},
           {Field::kBytes, "bytes_contents", contents.bytes_contents_size()}}};
}

Field FieldOf(Datatype datatype) {
  switch (datatype) {
    case Datatype::kBool:
      return Field::kBool;
    case Datatype::kInt8:
    case Datatype::kInt16:
    case Datatype::kInt32:
      return Field::kInt;
    case Datatype::kInt64:
      return Field::kInt64;
    case Datatype::kUint8:
    case Datatype::kUint16:
    case Datatype::kUint32:
      return Field::kUint;
    case Datatype::kUint64:
      return Field::kUint64;
    case Datatype::kFp32:
      return Field::kFp32;
    case Datatype::kFp64:
      return Field::kFp64;
    case Datatype::kFp16:
    case Datatype::kBf16:
      return Field::kNone;
  }
  return Field::kNone;
}

// Calls `visit(elements, T{})` with the datatype's field and its C++ element type.
template <typename Visitor>
auto Visit(Datatype datatype, const InferTensorContents& contents, const Visitor& visit) {
  switch (datatype) {
    case Datatype::kBool:
      return visit(contents.bool_contents(), bool{});
    case Datatype::kInt8:
      return visit(contents.int_contents(), int8_t{});
    case Datatype::kInt16:
      return visit(contents.int_contents(), int16_t{});
    case Datatype::kInt32:
      return visit(contents.int_contents(), int32_t{});
    case Datatype::kInt64:
      return visit(contents.int64_contents(), int64_t{});
    case Datatype::kUint8:
      return visit(contents.uint_contents(), uint8_t{});
    case Datatype::kUint16:
      return visit(contents.uint_contents(), uint16_t{});
    case Datatype::kUint32:
      return visit(contents.uint_contents(), uint32_t{});
    case Datatype::kUint64:
      return visit(contents.uint64_contents(), uint64_t{});
    case Datatype::kFp32:
      return visit(contents.fp32_contents(), float{});
    default:
      return visit(contents.fp64_contents(), double{});
  }
}

absl::Status CheckLimits(const TensorSpec& tensor, absl::string_view field,
                         const InferTensorContents& contents) {
  return Visit(tensor.datatype, contents, [&]<typename T>(const auto& elements, T) -> absl::Status {
    if constexpr (std::numeric_limits<T>::is_integer && !std::is_same_v<T, bool>) {
      for (int i = 0; i < elements.size(); ++i) {
        if (std::in_range<T>(elements[i])) continue;
        return absl::InvalidArgumentError(absl::StrCat(
            "input '", tensor.name, "': ", field, "[", i, "] is ", elements[i], ", not within ",
            std::string(Name(tensor.datatype)), " [", +std::numeric_limits<T>::min(), ", ",
            +std::numeric_limits<T>::max(), "]"));
      }
    }
    return absl::OkStatus();
  });
}

}  // namespace

bool HasElements(const InferTensorContents& contents) {
  for (const FieldCount& count : Count(contents)) {
    if (count.elements > 0) return true;
  }
  return false;
}

absl::Status CheckTypedContents(const TensorSpec& tensor, const InferTensorContents& contents,
                                int64_t rows) {
  const Field expected = FieldOf(tensor.datatype);
  if (expected == Field::kNone) {
    return absl::InvalidArgumentError(absl::StrCat("input '", tensor.name,
                                                   "': ", std::string(Name(tensor.datatype)),
                                                   " travels only in raw_input_contents"));
  }
  const std::array<FieldCount, 8> counts = Count(contents);
  FieldCount right{};
  for (const FieldCount& count : counts) {
    if (count.field == expected) right = count;
  }
  for (const FieldCount& count : counts) {
    if (count.elements == 0 || count.field == expected) continue;
    return absl::InvalidArgumentError(absl::StrCat("input '", tensor.name, "': elements in ",
                                                   count.name, ", expected ", right.name, " for ",
                                                   std::string(Name(tensor.datatype))));
  }
  if (right.elements != rows * tensor.elements()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input '", tensor.name, "': ", right.name, " has ", right.elements, " elements, expected ",
        rows * tensor.elements(), ": ", rows, " x ", tensor.elements()));
  }
  return CheckLimits(tensor, right.name, contents);
}

void CopyTypedRow(const TensorSpec& tensor, const InferTensorContents& contents, int64_t row,
                  std::byte* to) {
  const auto count = static_cast<int>(tensor.elements());
  const auto first = static_cast<int>(row * count);
  Visit(tensor.datatype, contents, [&]<typename T>(const auto& elements, T) {
    for (int i = 0; i < count; ++i) {
      const T value = static_cast<T>(elements[first + i]);
      std::memcpy(to + static_cast<size_t>(i) * sizeof(T), &value, sizeof(T));
    }
  });
}

size_t MaxWireBytes(Datatype datatype) {
  // Varints hold 7 bits a byte; a negative int32 is extended to 64 bits.
  // https://protobuf.dev/programming-guides/encoding/
  switch (FieldOf(datatype)) {
    case Field::kInt:
    case Field::kInt64:
    case Field::kUint64:
      return 10;
    case Field::kUint:
      return (ByteSize(datatype) * 8 + 6) / 7;
    default:
      return ByteSize(datatype);
  }
}

}  // namespace escan
