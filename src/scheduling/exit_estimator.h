#pragma once

#include "escan/time.h"
#include "scheduling/exit_estimate.h"
#include "scheduling/sliding_window.h"

namespace escan {

// Counts how often samples left at a stage over the last `window` and the last eighth of it.
// Between calls nothing is forgotten, so that the last word about a stage outlives a pause in its
// traffic.
class ExitEstimator {
 public:
  explicit ExitEstimator(Duration window) : counts_(window) {}

  void Count(bool exited, TimePoint now) {
    counts_.Add({.reached = 1, .exited = exited ? uint64_t{1} : uint64_t{0}}, now);
  }
  // Forgets what has left the windows. Time must not go backwards.
  void Roll(TimePoint now) { counts_.Roll(now); }
  void Reset() { counts_.Reset(); }

  ExitWindows windows() const { return {.window = counts_.window(), .recent = counts_.recent()}; }

 private:
  SlidingWindow<ExitEstimate> counts_;
};

}  // namespace escan
