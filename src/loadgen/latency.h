#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <vector>

#include "escan/time.h"

namespace escan::loadgen {

// Exact figures of a set of durations; all zero for an empty set.
struct LatencySummary {
  Duration mean{};
  Duration p50{};
  Duration p90{};
  Duration p95{};
  Duration p99{};
  Duration p99_9{};
  Duration max{};
};

// Percentiles by nearest rank: the smallest value that at least p % of the values do not exceed.
LatencySummary Summarize(std::vector<Duration> values);

// A coarse distribution (buckets 1/8 of an octave wide, so within 13 %) for the progress line: any
// thread adds while another one reads.
class LatencyHistogram {
 public:
  void Add(Duration value);

  // Lower edge of the bucket that holds the percentile; zero when nothing was added.
  Duration Percentile(double percent) const;

 private:
  static constexpr int kSubBits = 3;
  static constexpr size_t kBuckets = size_t{64} << kSubBits;

  static size_t Bucket(uint64_t value);
  static uint64_t LowerEdge(size_t bucket);

  std::array<std::atomic<int64_t>, kBuckets> counts_{};
};

}  // namespace escan::loadgen
