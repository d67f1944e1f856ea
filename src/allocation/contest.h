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

// What makes one plan better than another.
enum class Goal {
  kLatency,  // the lower p99 at the workload's rate, for plans whose capacity is kHeadroom times
             // that rate; at equal p99 the one with less memory
  kGoodput,  // the higher rate within the objective; without an objective, the higher capacity
};

// Evaluates candidate plans with the whole model and ranks the best of them. The search asks it,
// before it evaluates a candidate, what that must exceed to become the best. Plain code; used by
// one thread.
class Contest {
 public:
  // `grid` must outlive this object.
  Contest(const SearchGrid& grid, Goal goal);

  // Whether the p99 matters: false only for kGoodput without an objective.
  bool judges_latency() const {
    return goal_ == Goal::kLatency || std::isfinite(objective_.count());
  }

  // Two conditions that a candidate must meet to become the best. The first: its capacity, in
  // samples per second, is larger than this.
  double capacity_to_beat() const { return capacity_to_beat_; }
  // The second: MayWin() is true for its p99 at this rate, in samples per second.
  double rate() const { return rate_; }
  bool MayWin(Seconds p99, size_t memory) const;

  // Evaluates the candidate. Returns true if it is now the best. A candidate with twins (classes
  // that differ only in their count) is not evaluated, because another candidate is the same plan.
  bool Try(const Candidate& candidate);

  struct Entry {
    Candidate candidate;
    double value = 0;   // kLatency: p99 in seconds; kGoodput: samples per second
    size_t memory = 0;  // bytes
  };
  // The best candidates that were tried, the best first. No two have the same classes. Empty if
  // none met the goal's conditions.
  const std::vector<Entry>& ranking() const { return ranking_; }
  int64_t evaluations() const { return evaluations_; }

 private:
  static constexpr size_t kRanking = 5;  // most entries
  // Values whose relative difference is smaller count as equal, so that rounding does not decide.
  static constexpr double kEqual = 1e-9;

  // The entry's value; nullopt if the candidate does not meet the goal's conditions, or is too bad
  // for the ranking.
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
