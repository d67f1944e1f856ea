#include "server/rollout/agreement.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace escan {
namespace {

constexpr double kTolerance = 0.01;

template <typename Number>
bool AgreeAs(int64_t elements, const std::byte* a, const std::byte* b) {
  // Slots are aligned for any datatype, copies of them need not be.
  const auto at = [](const std::byte* from, int64_t i) {
    Number value{};
    std::memcpy(&value, from + static_cast<size_t>(i) * sizeof(Number), sizeof(Number));
    return value;
  };
  if (elements == 1) {
    const auto x = static_cast<double>(at(a, 0));
    const auto y = static_cast<double>(at(b, 0));
    return x == y || std::abs(x - y) <= kTolerance * std::max(std::abs(x), std::abs(y));
  }
  int64_t largest_a = 0;
  int64_t largest_b = 0;
  for (int64_t i = 1; i < elements; ++i) {
    if (at(a, i) > at(a, largest_a)) largest_a = i;
    if (at(b, i) > at(b, largest_b)) largest_b = i;
  }
  return largest_a == largest_b;
}

}  // namespace

bool Agree(const TensorSpec& output, const std::byte* a, const std::byte* b) {
  switch (output.datatype) {
    case Datatype::kFp32:
      return AgreeAs<float>(output.elements(), a, b);
    case Datatype::kFp64:
      return AgreeAs<double>(output.elements(), a, b);
    default:
      return std::memcmp(a, b, output.row_bytes()) == 0;
  }
}

}  // namespace escan
