#pragma once

#include <vector>

#include "escan/time.h"

namespace escan {

// Steps that were finished in some time.
struct StepFigures {
  double rate = 0;    // steps per second of all clients
  Seconds step{};     // mean, from dispatch to result
  double spread = 0;  // of the rate in several windows: the width of their middle half, relative

  friend bool operator==(const StepFigures&, const StepFigures&) = default;
};

// Of windows of a measurement, at least one: the medians, so that one that was disturbed does not
// count, and how far the windows disagree, of five the middle three. Plain code; any thread.
StepFigures MedianOf(const std::vector<StepFigures>& windows);

}  // namespace escan
