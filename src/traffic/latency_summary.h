#pragma once

#include <vector>

#include "escan/time.h"

namespace escan {

// Exact figures of a set of durations; all zero for an empty set.
struct LatencySummary {
  Duration mean{};
  Duration p50{};
  Duration p90{};
  Duration p95{};
  Duration p99{};
  Duration p99_9{};
  Duration max{};

  friend bool operator==(const LatencySummary&, const LatencySummary&) = default;
};

// Percentiles by nearest rank: the smallest value that at least p % of the values do not exceed.
LatencySummary Summarize(std::vector<Duration> values);

}  // namespace escan
