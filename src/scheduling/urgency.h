#pragma once

#include <algorithm>
#include <cstdint>

#include "escan/time.h"

namespace escan {

// A sample's place in every queue, the smaller the sooner: (priority, deadline, arrival). Fixed at
// admission, so that a sample which comes back from a dead worker finds its old place.
struct Urgency {
  uint64_t level = 0;    // the priority in the two highest bits, the deadline below
  uint64_t arrival = 0;  // unique

  static constexpr int kDeadlineBits = 62;

  static Urgency Of(int priority, TimePoint deadline, uint64_t arrival) {
    const int64_t latest = (int64_t{1} << kDeadlineBits) - 1;
    const int64_t time = std::clamp<int64_t>(deadline.time_since_epoch().count(), 0, latest);
    const auto rank = static_cast<uint64_t>(std::clamp(priority, 0, 3));
    return {.level = rank << kDeadlineBits | static_cast<uint64_t>(time), .arrival = arrival};
  }

  TimePoint deadline() const {
    return TimePoint(Duration(level & ((uint64_t{1} << kDeadlineBits) - 1)));
  }

  friend bool operator==(const Urgency&, const Urgency&) = default;
  friend bool operator<(const Urgency& a, const Urgency& b) {
    return a.level != b.level ? a.level < b.level : a.arrival < b.arrival;
  }
};

}  // namespace escan
