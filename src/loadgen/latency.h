#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

#include "escan/time.h"

namespace escan::loadgen {

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
