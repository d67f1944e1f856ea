#pragma once

#include <algorithm>

#include "escan/time.h"

namespace escan {

// How long a kind of step takes, so that whoever waits for one can sleep until shortly before its
// end. Follows a faster step at once and a slower one slowly: to wake early costs a little
// processor time, to wake late costs latency, and hides how long the step took.
class CompletionEstimate {
 public:
  Duration expected() const { return expected_; }  // zero before the first observation

  void Observe(Duration took) {
    const bool at_once = expected_ == Duration::zero() || took < expected_;
    expected_ = at_once ? took : expected_ + (took - expected_) / 16;
  }

  // The step had ended at some time before it was found to, `took` after its begin.
  void ObserveLate(Duration took) { expected_ = std::min(expected_, took) * 31 / 32; }

 private:
  Duration expected_{};
};

}  // namespace escan
