#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <vector>

#include "escan/time.h"
#include "simulation/simulated_load.h"
#include "traffic/arrivals.h"

namespace escan {

// When the clients of a simulation send their requests. Plain code, used by one thread.
class ArrivalSource {
 public:
  // A client whose request was not served waits for so long before it sends the next one; else it
  // could be refused without end while no time passes.
  static constexpr Duration kBackOff = std::chrono::milliseconds(1);

  // `requests` in all, from `start` on. An open loop's times are those that the load generator
  // has for the same seed.
  ArrivalSource(const SimulatedLoad& load, int64_t requests, TimePoint start);

  // When the next request is sent; TimePoint::max() while none is known.
  TimePoint Next() const;
  // It is sent. There must be one.
  void Take();
  // An answer reaches its client at `now`.
  void Answered(bool served, TimePoint now);

 private:
  std::optional<ArrivalSchedule> schedule_;  // of an open loop
  const TimePoint start_;
  int64_t left_;
  TimePoint next_scheduled_;  // of an open loop
  // When the clients of a closed loop that wait for no answer send; the earliest on top.
  std::priority_queue<TimePoint, std::vector<TimePoint>, std::greater<>> clients_;
};

}  // namespace escan
