#include "scheduling/exit_estimator.h"

#include <algorithm>

namespace escan {

ExitEstimator::ExitEstimator(Duration window)
    : cell_length_(std::max<Duration>(window / kCells, Duration(1))) {}

void ExitEstimator::Count(bool exited, TimePoint now) {
  Roll(now);
  ExitEstimate& cell = cells_[static_cast<size_t>(cell_ % kCells)];
  ++cell.reached;
  ++total_.reached;
  cell.exited += exited ? 1 : 0;
  total_.exited += exited ? 1 : 0;
}

void ExitEstimator::Roll(TimePoint now) {
  if (now < cell_end_) return;
  const int64_t current = std::max<int64_t>(now.time_since_epoch() / cell_length_, 0);
  for (int64_t i = std::max(cell_ + 1, current - kCells + 1); i <= current; ++i) {
    ExitEstimate& forgotten = cells_[static_cast<size_t>(i % kCells)];
    total_.reached -= forgotten.reached;
    total_.exited -= forgotten.exited;
    forgotten = {};
  }
  cell_ = current;
  cell_end_ = TimePoint((current + 1) * cell_length_);
}

void ExitEstimator::Reset() {
  cells_ = {};
  total_ = {};
}

}  // namespace escan
