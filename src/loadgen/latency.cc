#include "loadgen/latency.h"

#include <cmath>

namespace escan::loadgen {

size_t LatencyHistogram::Bucket(uint64_t value) {
  constexpr uint64_t kLinear = uint64_t{1} << kSubBits;
  if (value < kLinear) return value;
  const int shift = std::bit_width(value) - 1 - kSubBits;
  return (static_cast<size_t>(shift + 1) << kSubBits) + ((value >> shift) - kLinear);
}

uint64_t LatencyHistogram::LowerEdge(size_t bucket) {
  constexpr uint64_t kLinear = uint64_t{1} << kSubBits;
  if (bucket < kLinear) return bucket;
  const size_t shift = (bucket >> kSubBits) - 1;
  return (kLinear + (bucket & (kLinear - 1))) << shift;
}

void LatencyHistogram::Add(Duration value) {
  const uint64_t count = value.count() < 0 ? 0 : static_cast<uint64_t>(value.count());
  counts_[Bucket(count)].fetch_add(1, std::memory_order_relaxed);
}

Duration LatencyHistogram::Percentile(double percent) const {
  int64_t total = 0;
  for (const auto& count : counts_) total += count.load(std::memory_order_relaxed);
  const auto rank = static_cast<int64_t>(std::ceil(percent / 100 * static_cast<double>(total)));
  int64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket].load(std::memory_order_relaxed);
    if (seen > 0 && seen >= rank) return Duration(static_cast<int64_t>(LowerEdge(bucket)));
  }
  return Duration::zero();
}

}  // namespace escan::loadgen
