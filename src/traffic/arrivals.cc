#include "traffic/arrivals.h"

#include <cmath>

#include "contracts/uniform.h"

namespace escan {

std::string_view Name(Arrivals arrivals) {
  return arrivals == Arrivals::kConstant ? "constant" : "poisson";
}

ArrivalSchedule::ArrivalSchedule(Arrivals arrivals, double rate, uint64_t seed)
    : arrivals_(arrivals), rate_(rate), random_(seed) {}

Duration ArrivalSchedule::Next() {
  if (arrivals_ == Arrivals::kConstant) {
    seconds_ = static_cast<double>(count_++) / rate_;
  } else {
    seconds_ -= std::log1p(-Uniform(random_)) / rate_;  // inversion of the distribution function
  }
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds_));
}

}  // namespace escan
