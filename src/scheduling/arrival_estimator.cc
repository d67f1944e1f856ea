#include "scheduling/arrival_estimator.h"

#include <algorithm>

namespace escan {

ArrivalEstimator::Counts& ArrivalEstimator::Counts::operator+=(const Counts& other) {
  requests += other.requests;
  samples += other.samples;
  refused += other.refused;
  return *this;
}

void ArrivalEstimator::Count(int rows, bool refused, TimePoint now) {
  const auto samples = static_cast<uint64_t>(rows);
  const Counts arrived{.requests = 1, .samples = samples, .refused = refused ? samples : 0};
  counts_.Add(arrived, now);
  total_ += arrived;
}

ArrivalEstimate ArrivalEstimator::Estimate(TimePoint now) {
  counts_.Roll(now);
  const ArrivalEstimate window = EstimateOf(counts_.window(), counts_.window_start(), now);
  const ArrivalEstimate recent = EstimateOf(counts_.recent(), counts_.recent_start(), now);
  ArrivalEstimate estimate = window.interval.Overlaps(recent.interval) ? window : recent;
  // An overload is a matter of the moment.
  estimate.refused = recent.refused;
  return estimate;
}

ArrivalEstimate ArrivalEstimator::EstimateOf(const Counts& counts, TimePoint since,
                                             TimePoint now) const {
  // Less than a cell tells nothing about a rate.
  constexpr Seconds kShortest{0.1};
  const double seconds = std::max<Seconds>(now - std::max(since, begun_), kShortest).count();
  const auto samples = static_cast<double>(counts.samples);
  const double rows = counts.requests == 0 ? 0 : samples / static_cast<double>(counts.requests);
  const Interval requests = PoissonInterval(counts.requests);
  // Without a request each may have had a row.
  const double scale = std::max(rows, 1.0) / seconds;
  return {.samples_per_second = samples / seconds,
          .interval = {.low = requests.low * scale, .high = requests.high * scale},
          .requests = counts.requests,
          .rows_per_request = rows,
          .refused = counts.samples == 0 ? 0 : static_cast<double>(counts.refused) / samples,
          .offered_samples = total_.samples,
          .refused_samples = total_.refused};
}

}  // namespace escan
