#pragma once

#include <optional>
#include <vector>

#include "profiling/measurement_log.h"

namespace escan {

// Which measurements are to be made once more, and which of the two then counts. Plain code; any
// thread.

// Of measurements of a stage at one share and number of clients, in the order of their rows, the
// first that was made once only and is doubtful: its windows disagree by more than 5 %, or a step
// of the larger of two neighbouring buckets takes less time, by more than 5 %, than one of the
// smaller. Either of those may be wrong; the smaller comes first, since disturbances slow steps.
std::optional<MeasurementPoint> FirstDoubtful(const std::vector<Measurement>& of_buckets);

// The second of a point's two measurements, unless its windows disagree by more than 5 % and more
// than those of the first. Counts as made twice.
Measurement BetterFounded(const Measurement& first, const Measurement& second);

}  // namespace escan
