#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "allocation/candidate_model.h"
#include "allocation/goal.h"
#include "allocation/search_grid.h"
#include "escan/time.h"

namespace escan {

// Evaluates candidate plans with the whole model and keeps the best of them. Plain code; used by
// one thread.
class CandidateRanking {
 public:
  // `grid` must outlive this object.
  CandidateRanking(const SearchGrid& grid, Goal goal);

  // Evaluates the candidate. Returns true if it is now the best. A candidate with twins (classes
  // that differ only in their count) is not evaluated, because another candidate is the same plan.
  bool Add(const Candidate& candidate);

  struct Entry {
    Candidate candidate;
    double value = 0;   // kLatency: p99 in seconds; kGoodput: samples per second
    size_t memory = 0;  // bytes
  };
  // The best candidates that were added, the best first. No two have the same classes. Empty if
  // none met the goal's conditions.
  const std::vector<Entry>& best() const { return best_; }
  int64_t evaluations() const { return evaluations_; }

 private:
  static constexpr size_t kMostEntries = 5;
  // Values whose relative difference is smaller count as equal, so that rounding does not decide.
  static constexpr double kEqual = 1e-9;

  // The entry's value; nullopt if the candidate does not meet the goal's conditions, or is too bad
  // to be kept.
  std::optional<double> Value(const Candidate& candidate);
  bool Before(const Entry& a, const Entry& b) const;

  const SearchGrid& grid_;
  const Goal goal_;
  const Seconds objective_;
  CandidateModel model_;
  std::vector<Entry> best_;
  int64_t evaluations_ = 0;
};

}  // namespace escan
