#include "escan/tensor.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace escan {
namespace {

struct DatatypeFacts {
  std::string_view name;
  size_t bytes;
};

// In the order of the enumerators.
constexpr std::array<DatatypeFacts, 13> kFacts = {{{"BOOL", 1},
                                                   {"UINT8", 1},
                                                   {"UINT16", 2},
                                                   {"UINT32", 4},
                                                   {"UINT64", 8},
                                                   {"INT8", 1},
                                                   {"INT16", 2},
                                                   {"INT32", 4},
                                                   {"INT64", 8},
                                                   {"FP16", 2},
                                                   {"FP32", 4},
                                                   {"FP64", 8},
                                                   {"BF16", 2}}};

const DatatypeFacts& Facts(Datatype datatype) { return kFacts[static_cast<size_t>(datatype)]; }

}  // namespace

size_t ByteSize(Datatype datatype) { return Facts(datatype).bytes; }

std::string_view Name(Datatype datatype) { return Facts(datatype).name; }

std::optional<Datatype> ParseDatatype(std::string_view name) {
  const auto found = std::find_if(kFacts.begin(), kFacts.end(),
                                  [&](const DatatypeFacts& facts) { return facts.name == name; });
  if (found == kFacts.end()) return std::nullopt;
  return static_cast<Datatype>(found - kFacts.begin());
}

bool IsInteger(Datatype datatype) {
  return datatype >= Datatype::kUint8 && datatype <= Datatype::kInt64;
}

IntegerRange ValuesOf(Datatype datatype) {
  const bool is_signed = datatype >= Datatype::kInt8;
  const size_t bits = 8 * ByteSize(datatype) - (is_signed ? 1 : 0);
  const int64_t max = bits >= 63 ? std::numeric_limits<int64_t>::max() : (int64_t{1} << bits) - 1;
  return {is_signed ? -max - 1 : 0, max};
}

int64_t TensorSpec::elements() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

std::string BatchedShapeString(const std::vector<int64_t>& row_shape) {
  return absl::StrCat("[N", row_shape.empty() ? "" : ",", absl::StrJoin(row_shape, ","), "]");
}

std::string ShapeString(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ","), "]");
}

}  // namespace escan
