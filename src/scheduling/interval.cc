#include "scheduling/interval.h"

#include <algorithm>
#include <cmath>

namespace escan {
namespace {

// The normal distribution's quantile of 97.5 %: 2.5 % are left out on either side.
constexpr double kQuantile = 1.959964;
constexpr double kSquare = kQuantile * kQuantile;

}  // namespace

Interval WilsonInterval(uint64_t hits, uint64_t trials) {
  if (trials == 0) return {.low = 0, .high = 1};
  const auto n = static_cast<double>(trials);
  const double ratio = static_cast<double>(hits) / n;
  const double centre = ratio + kSquare / (2 * n);
  const double half = kQuantile * std::sqrt(ratio * (1 - ratio) / n + kSquare / (4 * n * n));
  const double scale = 1 + kSquare / n;
  return {.low = std::max((centre - half) / scale, 0.0),
          .high = std::min((centre + half) / scale, 1.0)};
}

Interval PoissonInterval(uint64_t events) {
  const auto n = static_cast<double>(events);
  const double centre = n + kSquare / 2;
  const double half = kQuantile * std::sqrt(n + kSquare / 4);
  return {.low = std::max(centre - half, 0.0), .high = centre + half};
}

}  // namespace escan
