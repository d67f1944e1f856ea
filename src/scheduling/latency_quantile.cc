#include "scheduling/latency_quantile.h"

#include <numeric>

#include "scheduling/stage_statistics.h"

namespace escan {

std::optional<double> LatencyQuantile(std::span<const uint64_t> counts, double quantile) {
  if (counts.size() != kLatencyBounds.size() + 1) return std::nullopt;
  const uint64_t count = std::accumulate(counts.begin(), counts.end(), uint64_t{0});
  if (count == 0) return std::nullopt;
  const double rank = quantile * static_cast<double>(count);
  double below = 0;
  for (size_t i = 0; i < kLatencyBounds.size(); ++i) {
    const auto here = static_cast<double>(counts[i]);
    if (here > 0 && below + here >= rank) {
      const double low = i == 0 ? 0 : kLatencyBounds[i - 1];
      return low + (kLatencyBounds[i] - low) * (rank - below) / here;
    }
    below += here;
  }
  return kLatencyBounds.back();
}

}  // namespace escan
