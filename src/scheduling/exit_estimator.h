#pragma once

#include <array>

#include "escan/time.h"
#include "scheduling/stage_statistics.h"

namespace escan {

// How often samples left at a stage over the last `window`, which moves on in steps of a
// kCells-th: what is older is forgotten cell by cell. Between calls nothing is forgotten, so that
// the last word about a stage outlives a pause in its traffic.
class ExitEstimator {
 public:
  explicit ExitEstimator(Duration window);

  void Count(bool exited, TimePoint now);
  // Forgets what has left the window. Time must not go backwards.
  void Roll(TimePoint now);
  void Reset();

  const ExitEstimate& estimate() const { return total_; }

 private:
  static constexpr int64_t kCells = 32;

  Duration cell_length_;
  int64_t cell_ = 0;      // number of the current cell since the clock's epoch
  TimePoint cell_end_{};  // of the current cell
  std::array<ExitEstimate, kCells> cells_{};
  ExitEstimate total_;
};

}  // namespace escan
