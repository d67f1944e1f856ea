#include "loadgen/arrivals.h"

#include <cmath>

namespace escan::loadgen {

ArrivalSchedule::ArrivalSchedule(Arrivals arrivals, double rate, uint64_t seed)
    : arrivals_(arrivals), rate_(rate), random_(seed) {}

Duration ArrivalSchedule::Next() {
  if (arrivals_ == Arrivals::kConstant) {
    seconds_ = static_cast<double>(count_++) / rate_;
  } else {
    // Inversion of the distribution function; std::exponential_distribution differs between
    // standard libraries.
    const double uniform = static_cast<double>(random_() >> 11) * 0x1p-53;  // [0, 1)
    seconds_ -= std::log1p(-uniform) / rate_;
  }
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds_));
}

}  // namespace escan::loadgen
