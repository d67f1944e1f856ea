#pragma once

#include <cstdint>

namespace escan {

// Where an estimated value lies with a confidence of 95 %.
struct Interval {
  double low = 0;
  double high = 0;

  bool Contains(double value) const { return low <= value && value <= high; }
  bool Overlaps(const Interval& other) const { return low <= other.high && other.low <= high; }
};

// Of a probability, after `hits` of `trials` independent trials; [0, 1] without trials. The score
// interval: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
// Journal of the American Statistical Association 22 (1927), 209-212.
Interval WilsonInterval(uint64_t hits, uint64_t trials);

// Of the expected number of events, after `events` of a Poisson process were counted. The score
// interval: L. Barker, "A comparison of nine confidence intervals for a Poisson parameter when the
// expected number of events is <= 5", The American Statistician 56 (2002), 85-89.
Interval PoissonInterval(uint64_t events);

}  // namespace escan
