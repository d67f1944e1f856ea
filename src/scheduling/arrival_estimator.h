#pragma once

#include <cstdint>

#include "escan/time.h"
#include "scheduling/interval.h"
#include "scheduling/sliding_window.h"

namespace escan {

// What is asked of a cascade, whether it was admitted or refused.
struct ArrivalEstimate {
  double samples_per_second = 0;
  Interval interval;            // of samples_per_second, if requests arrive independently
  uint64_t requests = 0;        // that were counted
  double rows_per_request = 0;  // mean; 0 without requests
  double refused = 0;           // part of the samples that was refused for want of slots

  uint64_t offered_samples = 0;  // since the start
  uint64_t refused_samples = 0;
};

// Counts arrivals over the last 30 s and the last eighth of it; as of the exit ratios, the short
// window is believed where the two contradict each other. Plain code; one thread at a time.
class ArrivalEstimator {
 public:
  explicit ArrivalEstimator(TimePoint now) : begun_(now), counts_(kWindow) {}

  void Count(int rows, bool refused, TimePoint now);
  ArrivalEstimate Estimate(TimePoint now);

 private:
  static constexpr Duration kWindow = std::chrono::seconds(30);

  struct Counts {
    uint64_t requests = 0;
    uint64_t samples = 0;
    uint64_t refused = 0;  // samples

    Counts& operator+=(const Counts& other);
  };

  ArrivalEstimate EstimateOf(const Counts& counts, TimePoint since, TimePoint now) const;

  const TimePoint begun_;
  SlidingWindow<Counts> counts_;
  Counts total_;
};

}  // namespace escan
