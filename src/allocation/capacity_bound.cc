#include "allocation/capacity_bound.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "allocation/capacity.h"

namespace escan {

double CapacityBound::Inverse(const KnownWork& known) const {
  // No worker takes more of the device than all do.
  const double workers = std::pow(known.worker / kMostBusy, knee_);
  double more = std::numeric_limits<double>::infinity();  // than the device's time
  if (known.open.device == 0) {
    double own = 0;
    for (const KnownWork::OfClass& one : known.classes) own = std::max(own, one.device);
    more = workers - std::pow(own, knee_);
  } else {
    for (size_t c = 0; c < known.classes.size(); ++c) {
      more = std::min(more, WorkerLessOwn(known, c, workers));
    }
  }
  return std::pow(std::max(std::pow(known.device, knee_) + more, workers), 1 / knee_);
}

// (worker / kMostBusy)^knee - own^knee, at least, `own` being the device's time that one worker of
// the class takes of a sample; `workers` is the first term.
double CapacityBound::WorkerLessOwn(const KnownWork& known, size_t worker_class,
                                    double workers) const {
  const KnownWork::OfClass& one = known.classes[worker_class];
  const double most = one.device + known.open.device / one.count;
  const double with_most = workers - std::pow(most, knee_);
  return known.classes.size() == 1 ? with_most
                                   : std::max(with_most, LeastBeyond(known, worker_class));
}

// Of the stages without hosts some, which take y of its time, may be the class's alone; others it
// shares with a class at least. With y both terms grow:
//   max(worker, alone + y) / kMostBusy  and  shared + y * slope.
double CapacityBound::LeastBeyond(const KnownWork& known, size_t worker_class) const {
  const KnownWork::OfClass& one = known.classes[worker_class];
  double others = std::numeric_limits<double>::infinity();
  for (size_t c = 0; c < known.classes.size(); ++c) {
    if (c != worker_class) others = std::min<double>(others, known.classes[c].count);
  }
  const double all = one.count + others;
  const double shared = one.device + known.open.device / all;
  const double slope = known.most_dense * others / all;
  const double largest = known.open.worker / one.count;
  // Up to here the worker's term does not grow. Beyond, the difference is least at its only
  // minimum, or where it has none, at an end.
  const double first = std::clamp(known.worker - one.alone, 0.0, largest);
  const double q = std::pow(kMostBusy * slope, 1 / (knee_ - 1));
  const double grows = 1 / kMostBusy - q * slope;
  const auto at = [&](double y) {
    return std::pow(std::max(known.worker, one.alone + y) / kMostBusy, knee_) -
           std::pow(shared + slope * y, knee_);
  };
  return grows > 0 ? at(std::clamp((q * shared - one.alone / kMostBusy) / grows, first, largest))
                   : std::min(at(first), at(largest));
}

}  // namespace escan
