#pragma once

#include <cstdint>
#include <random>
#include <string_view>

#include "escan/time.h"

namespace escan {

enum class Arrivals {
  kPoisson,   // independent, exponentially distributed gaps
  kConstant,  // equal gaps
};

std::string_view Name(Arrivals arrivals);  // "poisson", "constant"

// When the requests of an open loop are due. The times follow from the arguments alone, so that two
// runs offer the same load whatever the server does. Used by one thread.
class ArrivalSchedule {
 public:
  // `rate` is in requests per second and positive.
  ArrivalSchedule(Arrivals arrivals, double rate, uint64_t seed);

  // The next request's time since the start of the run; never decreases.
  Duration Next();

 private:
  const Arrivals arrivals_;
  const double rate_;
  std::mt19937_64 random_;
  int64_t count_ = 0;
  double seconds_ = 0;
};

}  // namespace escan
