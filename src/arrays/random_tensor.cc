#include "arrays/random_tensor.h"

#include <cstring>

namespace escan {
namespace {

// Bits of one random element; the lowest ByteSize(datatype) bytes count.
uint64_t RandomElement(const TensorSpec& spec, std::mt19937_64& random) {
  const uint64_t bits = random();
  switch (spec.datatype) {
    case Datatype::kBool:
      return bits & 1;
    case Datatype::kFp16:  // sign 0, exponent of [0.5, 1), random fraction
      return 0x3800 | (bits & 0x3FF);
    case Datatype::kBf16:
      return 0x3F00 | (bits & 0x7F);
    case Datatype::kFp32: {
      const float value = static_cast<float>(bits >> 40) * 0x1p-24f;
      uint32_t encoded;
      std::memcpy(&encoded, &value, sizeof(value));
      return encoded;
    }
    case Datatype::kFp64: {
      const double value = static_cast<double>(bits >> 11) * 0x1p-53;
      uint64_t encoded;
      std::memcpy(&encoded, &value, sizeof(value));
      return encoded;
    }
    default:
      break;
  }
  if (!spec.range) return bits;
  const auto min = static_cast<uint64_t>(spec.range->min);
  const uint64_t values = static_cast<uint64_t>(spec.range->max) - min + 1;  // 0: all of them
  return values == 0 ? bits : min + bits % values;
}

}  // namespace

std::string RandomTensor(const TensorSpec& tensor, int64_t rows, std::mt19937_64& random) {
  const size_t element_size = ByteSize(tensor.datatype);
  std::string bytes(static_cast<size_t>(rows) * tensor.row_bytes(), '\0');
  for (size_t at = 0; at < bytes.size(); at += element_size) {
    const uint64_t element = RandomElement(tensor, random);
    std::memcpy(bytes.data() + at, &element, element_size);
  }
  return bytes;
}

}  // namespace escan
