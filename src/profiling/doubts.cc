#include "profiling/doubts.h"

#include <algorithm>
#include <cstddef>

namespace escan {
namespace {

// Undisturbed windows disagree by 1 or 2 %; what follows from a profile is good to several.
constexpr double kTolerance = 0.05;

bool OutOfOrder(const Measurement& smaller, const Measurement& larger) {
  return larger.rate > smaller.rate * (1 + kTolerance) ||
         larger.step * (1 + kTolerance) < smaller.step;
}

}  // namespace

std::optional<MeasurementPoint> FirstDoubtful(const std::vector<Measurement>& of_buckets) {
  for (size_t i = 0; i < of_buckets.size(); ++i) {
    const Measurement& measurement = of_buckets[i];
    if (measurement.times_made > 1) continue;
    const bool doubtful = measurement.spread > kTolerance ||
                          (i > 0 && OutOfOrder(of_buckets[i - 1], measurement)) ||
                          (i + 1 < of_buckets.size() && OutOfOrder(measurement, of_buckets[i + 1]));
    if (doubtful) return measurement.point;
  }
  return std::nullopt;
}

Measurement BetterFounded(const Measurement& first, const Measurement& second) {
  Measurement better = second.spread <= std::max(first.spread, kTolerance) ? second : first;
  better.times_made = first.times_made + second.times_made;
  return better;
}

}  // namespace escan
