#include "simulation/exit_draws.h"

#include <algorithm>

#include "contracts/uniform.h"

namespace escan {

// The complement keeps the numbers apart from those of an arrival schedule with the same seed.
ExitDraws::ExitDraws(const std::vector<ExitPhase>& phases, uint64_t seed) : random_(~seed) {
  for (const ExitPhase& phase : phases) {
    Phase& added = phases_.emplace_back();
    added.start = phase.start;
    double reach = 1;
    for (const double ratio : phase.ratios) {
      reach *= 1 - ratio;
      added.left.push_back(1 - reach);
    }
  }
}

int ExitDraws::Next(Duration since_start) {
  while (current_ + 1 < phases_.size() && since_start >= phases_[current_ + 1].start) ++current_;
  const std::vector<double>& left = phases_[current_].left;
  const auto stage = std::upper_bound(left.begin(), left.end(), Uniform(random_));
  return static_cast<int>(stage - left.begin());
}

}  // namespace escan
