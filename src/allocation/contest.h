#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "allocation/candidate_model.h"
#include "allocation/search_grid.h"
#include "escan/time.h"

namespace escan {

// A plan's capacity is at least this multiple of the rate it is for.
inline constexpr double kHeadroom = 1.2;

// What a candidate is judged by.
enum class Goal {
  kLatency,  // the least p99 at the workload's rate, with capacity to spare; then the least memory
  kGoodput,  // the highest rate that keeps the objective, or the highest at all without one
};

// Judges candidates by the whole model and remembers the best of them.
class Contest {
 public:
  // The grid outlives this.
  Contest(const SearchGrid& grid, Goal goal);

  // Whether latency decides at all.
  bool judges_latency() const {
    return goal_ == Goal::kLatency || std::isfinite(objective_.count());
  }

  // A candidate cannot become the best unless its capacity is larger than this ...
  double capacity_to_beat() const { return capacity_to_beat_; }
  // ... and MayWin is true of its p99 at this rate.
  double rate() const { return rate_; }
  // At equal p99 less memory wins.
  bool MayWin(Seconds p99, size_t memory) const;

  // True: it is the best one now. One with twins is never tried: it is another one's double.
  bool Try(const Candidate& candidate);

  struct Entry {
    Candidate candidate;
    double value = 0;  // seconds or samples per second, by goal
    size_t memory = 0;
  };
  // The best one first, then others whose classes differ from all before: the best ones that were
  // tried. Empty: none met the conditions.
  const std::vector<Entry>& ranking() const { return ranking_; }
  int64_t evaluations() const { return evaluations_; }

 private:
  static constexpr size_t kRanking = 5;
  // Values that differ by less are equal: rounding must not decide.
  static constexpr double kEqual = 1e-9;

  // Empty: it does not meet the conditions, or cannot enter the ranking.
  std::optional<double> Value(const Candidate& candidate);
  bool Before(const Entry& a, const Entry& b) const;
  void SetTargets();

  const SearchGrid& grid_;
  const Goal goal_;
  const Seconds objective_;
  CandidateModel model_;
  double capacity_to_beat_ = 0;
  double rate_ = 0;
  std::vector<Entry> ranking_;
  int64_t evaluations_ = 0;
};

}  // namespace escan
