#include "allocation/queueing.h"

#include <algorithm>
#include <cmath>

namespace escan {

double AllBusy(double use, int workers) {
  if (use >= 1) return 1;
  return std::pow(use, BusyExponent(workers));
}

double BusyExponent(int workers) { return std::sqrt(2.0 * (workers + 1)) - 1; }

double ResidualWait(double late, double busy, int workers) {
  return late < busy ? 1 - std::pow(late / busy, 1.0 / workers) : 0.0;
}

double QueueWait(double late, double use, int workers) {
  const double waits = AllBusy(use, workers);
  return late < waits ? std::log(waits / late) / (2 * workers * (1 - use)) : 0.0;
}

}  // namespace escan
