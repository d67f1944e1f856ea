#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>

#include "escan/time.h"

namespace escan {

// How much of something may go on in a second: what is left of one second's worth, but of 1 at
// least. One that is larger than that passes all the same, and those after it wait the longer. Not
// thread-safe; the caller passes the time, which never goes back.
class TokenBucket {
 public:
  // `rate` in units per second; infinity: no limit.
  TokenBucket(double rate, TimePoint now)
      : rate_(rate), most_(std::max(rate, 1.0)), left_(most_), updated_(now) {}

  // Whether one may pass now.
  bool HasRoom(TimePoint now) {
    if (std::isinf(rate_)) return true;
    const std::chrono::duration<double> passed = now - updated_;
    left_ = std::min(most_, left_ + rate_ * passed.count());
    updated_ = now;
    return left_ >= 1 || left_ >= most_;
  }

  // After HasRoom().
  void Take(double units) {
    if (!std::isinf(rate_)) left_ -= units;
  }

 private:
  double rate_;
  double most_;
  double left_;
  TimePoint updated_;
};

}  // namespace escan
