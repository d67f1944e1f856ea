#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "escan/time.h"
#include "simulation/simulated_load.h"

namespace escan {

// Draws for one sample after the other where it leaves the cascade, which is independent of all
// others. The stage is drawn once for a sample and not at every stage, so that copies of the sample
// at several stages agree. Plain code, used by one thread.
class ExitDraws {
 public:
  ExitDraws(const std::vector<ExitPhase>& phases, uint64_t seed);

  // The stage at which a sample leaves that is sent at this time after the start of the run. Time
  // must not go backwards.
  int Next(Duration since_start);

 private:
  // [stage]: the probability to leave there or before; without the last stage's 1.
  struct Phase {
    Duration start;
    std::vector<double> left;
  };

  std::vector<Phase> phases_;
  size_t current_ = 0;
  std::mt19937_64 random_;
};

}  // namespace escan
