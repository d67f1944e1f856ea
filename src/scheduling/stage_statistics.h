#pragma once

#include <array>
#include <cstdint>

#include "escan/cascade.h"
#include "escan/time.h"
#include "scheduling/drift_status.h"
#include "scheduling/exit_estimate.h"

namespace escan {

// A histogram with fixed upper bounds, the last one infinite; cumulative counts are formed by the
// reader. Bounds are shared by all histograms of a kind, so they can be added.
template <size_t kBounds>
struct Histogram {
  std::array<uint64_t, kBounds + 1> counts{};
  double sum = 0;

  void Add(const std::array<double, kBounds>& bounds, double value, uint64_t times = 1) {
    size_t i = 0;
    while (i < kBounds && value > bounds[i]) ++i;
    counts[i] += times;
    sum += value * static_cast<double>(times);
  }
};

// Seconds; from 50 us to 10 s.
inline constexpr std::array<double, 17> kLatencyBounds = {
    50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3,
    50e-3, 100e-3, 200e-3, 500e-3, 1.0,  2.0,  5.0,  10.0};
// Rows.
inline constexpr std::array<double, 9> kBatchBounds = {1, 2, 4, 8, 16, 32, 64, 128, 256};

// What one stage did since the scheduler was made. Copied for readers by the scheduler's owner.
struct StageStatistics {
  uint64_t samples_executed = 0;  // rows in finished batches, speculative and replayed ones too
  uint64_t samples_exited = 0;    // answered here
  uint64_t samples_failed = 0;    // the model threw, or the row ended two workers
  uint64_t score_nan = 0;         // rows that the stage is to score, and whose score is NaN
  uint64_t answers_checked = 0;   // rows that were computed once more, none of which counts above
  uint64_t answers_wrong = 0;     // rows that differed, and it is known who was wrong
  uint64_t answers_doubtful = 0;  // rows that differed, and it is not
  uint64_t batches = 0;
  DriftStatus drift;
  ExitWindows exits;  // of samples that would have reached the stage
  Histogram<kBatchBounds.size()> batch_rows;
  Histogram<kLatencyBounds.size()> step_time;   // from dispatch to result, per batch
  Histogram<kLatencyBounds.size()> queue_time;  // from queueing to dispatch, per sample
  std::array<uint64_t, kMaxBatchRows + 1> batches_of_rows{};     // [rows]
  std::array<uint64_t, kMaxBatchRows + 1> execute_ns_of_rows{};  // [rows], summed execute_time
  uint64_t queue_ns = 0;                                         // summed over samples
  uint64_t execute_ns = 0;                                       // summed over batches
  uint64_t last_finished_ns = 0;  // monotonic time of the last result
};

}  // namespace escan
