#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "allocation/search_grid.h"
#include "allocation/tail_latency.h"

namespace escan {

// The waits of TailLatency, from below and looked up rather than computed. In parts of the longest
// step. Plain code; any thread.
class WaitBounds {
 public:
  // `late` outlives this.
  explicit WaitBounds(const LateParts& late);

  struct Residual {
    double of_any = 0;  // until the first of the hosts is free
    double of_one = 0;  // until the one is free that the batch was given to
  };
  // At a stage that the p99 counts; the hosts are busy for the part `use` of the time unbatched.
  const Residual& ResidualAt(int stage, int hosts, double use) const {
    return residuals_[Index(stage, hosts, static_cast<size_t>(std::min(use, 1.0) * kPlaces))];
  }

  // QueueWait, given the use of the capacity and its logarithm.
  double QueueAt(int stage, int hosts, double use, double log_use) const {
    const double excess = busy_exponents_[static_cast<size_t>(hosts)] * log_use -
                          late_.Log(static_cast<size_t>(stage));
    return excess > 0 ? excess / (2 * hosts * (1 - use)) : 0.0;
  }

 private:
  static constexpr size_t kPlaces = 64;  // of the use: the next lower one is looked up

  static size_t Index(int stage, int hosts, size_t place) {
    return static_cast<size_t>(stage * (kMostClients + 1) + hosts) * (kPlaces + 1) + place;
  }

  const LateParts& late_;
  std::array<double, kMostClients + 1> busy_exponents_{};  // by hosts
  std::vector<Residual> residuals_;
};

}  // namespace escan
