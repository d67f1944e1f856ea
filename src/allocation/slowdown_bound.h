#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "allocation/contention.h"

namespace escan {

// Slowdown, from below and looked up rather than computed: the two sides of its equation differ by
// less than a thousandth, or a fiftieth for a knee below 2. Plain code; any thread.
class SlowdownBound {
 public:
  explicit SlowdownBound(double knee);

  double Of(std::span<const DeviceDemand> demands, double crowding) const;

 private:
  // S = (1 + load^knee)^(1/knee) is convex in the load, so that no tangent is above it.
  struct Tangent {
    double height = 0;  // at the load 0
    double slope = 0;
  };

  static constexpr size_t kPlaces = 64;  // by load of 1: the next lower one is looked up
  static constexpr size_t kMostLoad = 8;

  const Tangent& At(double load) const;

  std::array<Tangent, kPlaces * kMostLoad + 1> tangents_{};
};

}  // namespace escan
