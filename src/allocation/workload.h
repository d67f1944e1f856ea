#pragma once

#include <optional>
#include <vector>

#include "escan/time.h"

namespace escan {

// What an allocation is for.
struct Workload {
  // By stage, in [0, 1]: the part of the samples reaching it that leave there. The last stage
  // always answers, so its ratio is not used.
  std::vector<double> exit_ratios;

  std::optional<double> rate;        // samples that arrive per second
  int rows_per_request = 1;          // they arrive together and are answered together
  std::optional<Seconds> objective;  // of the requests' latency, p99

  // By stage: the part of all samples that gets there.
  std::vector<double> Reach() const {
    std::vector<double> reach;
    double left = 1;
    for (const double exit_ratio : exit_ratios) {
      reach.push_back(left);
      left *= 1 - exit_ratio;
    }
    return reach;
  }
};

}  // namespace escan
