#pragma once

#include <span>

#include "escan/cascade.h"

namespace escan {

// The confidence of one row. `values` is the row's part of the output that the rule names: for
// kOutput its first element is the score; for the others it is a probability vector p of C classes,
// with the scores in [0, 1] that ExitScore defines. NaN, which never exits, for kNone, for no
// values, and when p holds anything but finite numbers >= 0. One class is certain: 1 - H/ln C = 1.
float ExitScoreOf(ExitScore score, std::span<const float> values);

}  // namespace escan
