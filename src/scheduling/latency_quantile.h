#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace escan {

// The seconds that the part `quantile` of the latencies counted in a histogram of kLatencyBounds
// does not pass, as far as its buckets tell: within a bucket the latencies are taken to be spread
// evenly, and those beyond the last bound to be at it. nullopt where nothing is counted, or where
// there are not as many counts as buckets.
std::optional<double> LatencyQuantile(std::span<const uint64_t> counts, double quantile);

}  // namespace escan
