#pragma once

#include <algorithm>

#include "escan/time.h"

namespace escan {

// Recognises that this process did not run for a while (it was stopped, or its machine was), from
// the time between two looks at the clock of which it slept no more than it wanted to. A machine
// that is merely busy delays a wake-up by less than kPause.
class PauseDetector {
 public:
  static constexpr Duration kPause = std::chrono::seconds(1);

  explicit PauseDetector(TimePoint now) : last_(now) {}

  // The process runs, at `now`; since the call before it meant to sleep until `due`, if at all
  // (TimePoint::min(): not at all; TimePoint::max(): for as long as nothing happens). True when
  // much more time than that went by.
  bool Paused(TimePoint due, TimePoint now) {
    const TimePoint expected = std::max(last_, due);
    last_ = now;
    return now > expected && now - expected > kPause;
  }

 private:
  TimePoint last_;
};

}  // namespace escan
