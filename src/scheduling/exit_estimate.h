#pragma once

#include <cstdint>

#include "scheduling/interval.h"

namespace escan {

// How often the samples that reached a stage left there, over some window.
struct ExitEstimate {
  uint64_t reached = 0;
  uint64_t exited = 0;

  double ratio() const {
    return reached == 0 ? 0.0 : static_cast<double>(exited) / static_cast<double>(reached);
  }
  Interval interval() const { return WilsonInterval(exited, reached); }

  ExitEstimate& operator+=(const ExitEstimate& other) {
    reached += other.reached;
    exited += other.exited;
    return *this;
  }
};

// Over a long window, and over the last part of it.
struct ExitWindows {
  ExitEstimate window;
  ExitEstimate recent;

  // The one to believe: the long one, which knows more, unless their intervals do not overlap; then
  // the ratio has changed. A few samples contradict nothing: intervals miss the truth now and then.
  const ExitEstimate& estimate() const;
};

}  // namespace escan
