#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace escan::loadgen {

struct RateSearchOptions {
  size_t objectives = 1;
  double start_rate = 100;  // requests per second; positive
  double tolerance = 0.05;  // positive
};

// A rate that was tried, and which objectives it kept.
struct RateProbe {
  double rate = 0;
  std::vector<bool> kept;
};

// Between which rates the highest one lies that keeps an objective.
struct RateBracket {
  std::optional<double> kept;    // the highest rate that kept it; none: no rate did
  std::optional<double> missed;  // the lowest higher rate that missed it
};

// Decides which rates to try for the highest one that keeps each of several objectives: up or down
// from the start rate in steps that become longer until an objective has a bracket, then in the
// bracket's geometric middle until its ends are within the tolerance. Every probe counts for all
// objectives.
//
// Probes are noisy. A rate that kept an objective counts even where a lower one missed it. A missed
// rate is tried once more if both of the last two probes under it kept the objective, for then it
// may have been missed by chance.
//
// Pure: no clock, no I/O. Used by one thread.
class RateSearch {
 public:
  explicit RateSearch(const RateSearchOptions& options);

  // The rate to try next; nullopt when all objectives are settled.
  std::optional<double> Next() const;

  // What came of a rate. `probe.kept` has one element for each objective.
  void Add(RateProbe probe);

  RateBracket Bracket(size_t objective) const;

  // Whether its bracket is narrow enough, or no rate down to a thousandth of the start keeps it.
  bool Settled(size_t objective) const;

 private:
  std::optional<double> NextFor(size_t objective) const;
  bool MissedByChance(size_t objective, double missed) const;
  double StepOut(bool up) const;

  const RateSearchOptions options_;
  std::vector<RateProbe> probes_;
};

}  // namespace escan::loadgen
