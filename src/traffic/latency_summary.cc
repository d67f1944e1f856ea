#include "traffic/latency_summary.h"

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace escan {

LatencySummary Summarize(std::vector<Duration> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto size = static_cast<int64_t>(values.size());
  // In thousandths, so that the rank is exact.
  const auto percentile = [&](int64_t per_mille) {
    const int64_t rank = (per_mille * size + 999) / 1000;
    return values[static_cast<size_t>(rank - 1)];
  };
  const Duration sum = std::accumulate(values.begin(), values.end(), Duration::zero());
  return {.mean = sum / size,
          .p50 = percentile(500),
          .p90 = percentile(900),
          .p95 = percentile(950),
          .p99 = percentile(990),
          .p99_9 = percentile(999),
          .max = values.back()};
}

}  // namespace escan
