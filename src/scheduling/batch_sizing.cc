#include "scheduling/batch_sizing.h"

#include <algorithm>
#include <cstddef>

namespace escan {
namespace {

int MostRowsPerTime(int rows, const BatchSizing& sizing, size_t up) {
  if (up == 0 || up == sizing.buckets.size() || sizing.buckets[up] == rows) return rows;
  const Duration padded = sizing.step_times[up];
  const Duration filled = sizing.step_times[up - 1];
  if (padded == Duration::zero() || filled == Duration::zero()) return rows;
  const int below = sizing.buckets[up - 1];
  const bool below_is_better = static_cast<double>(below) * static_cast<double>(padded.count()) >
                               static_cast<double>(rows) * static_cast<double>(filled.count());
  return below_is_better ? below : rows;
}

}  // namespace

int RowsToTake(const BatchSizing& sizing) {
  const std::span<const int> buckets = sizing.buckets;
  const int all = std::min(sizing.available, sizing.max_batch);
  const auto up =
      static_cast<size_t>(std::lower_bound(buckets.begin(), buckets.end(), all) - buckets.begin());
  const int rows = MostRowsPerTime(all, sizing, up);
  if (sizing.available >= sizing.max_batch) return rows;
  size_t bucket =
      static_cast<size_t>(std::lower_bound(buckets.begin(), buckets.end(), rows) - buckets.begin());
  if (bucket == buckets.size() || sizing.step_times[bucket] <= sizing.slack) return rows;
  while (bucket > 0) {
    --bucket;
    const Duration step = sizing.step_times[bucket];
    if (step != Duration::zero() && step <= sizing.slack) return buckets[bucket];
  }
  return rows;
}

}  // namespace escan
