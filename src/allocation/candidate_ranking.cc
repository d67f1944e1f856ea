#include "allocation/candidate_ranking.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "allocation/memory.h"
#include "allocation/tail_latency.h"

namespace escan {

CandidateRanking::CandidateRanking(const SearchGrid& grid, Goal goal)
    : grid_(grid),
      goal_(goal),
      objective_(
          grid.workload().objective.value_or(Seconds(std::numeric_limits<double>::infinity()))),
      model_(grid) {}

std::optional<double> CandidateRanking::Value(const Candidate& candidate) {
  const Capacity& capacity = model_.Predict(candidate);
  if (goal_ == Goal::kLatency) {
    const double rate = grid_.workload().rate.value_or(0);
    if (capacity.rate <= kHeadroom * rate * (1 - kEqual)) return std::nullopt;
    const Seconds p99 = TailLatency(model_.load(), capacity, rate).P99();
    if (p99 > objective_ || std::isinf(p99.count())) return std::nullopt;
    return p99.count();
  }
  const double least = best_.size() == kMostEntries ? best_.back().value : 0;
  if (capacity.rate <= least) return std::nullopt;
  if (!grid_.workload().objective) return capacity.rate;
  if (TailLatency(model_.load(), capacity, least).P99() > objective_) return std::nullopt;
  const double goodput = Goodput(model_.load(), capacity, objective_);
  return goodput > 0 ? std::optional(goodput) : std::nullopt;
}

bool CandidateRanking::Before(const Entry& a, const Entry& b) const {
  if (goal_ == Goal::kGoodput) return a.value > b.value * (1 + kEqual);
  if (a.value < b.value * (1 - kEqual)) return true;
  return a.value <= b.value * (1 + kEqual) && a.memory < b.memory;
}

bool CandidateRanking::Add(const Candidate& candidate) {
  if (candidate.HasTwins()) return false;
  const size_t memory = grid_.Memory(candidate);
  if (!Fits(grid_.profile(), memory)) return false;
  ++evaluations_;
  const std::optional<double> value = Value(candidate);
  if (!value) return false;
  const Entry entry{.candidate = candidate, .value = *value, .memory = memory};
  const auto same = std::ranges::find_if(best_, [&](const Entry& other) {
    return std::ranges::equal(other.candidate.used(), candidate.used());
  });
  if (same != best_.end()) {
    if (!Before(entry, *same)) return false;
    best_.erase(same);
  }
  const auto place =
      std::ranges::find_if(best_, [&](const Entry& other) { return Before(entry, other); });
  const bool is_best = place == best_.begin();
  best_.insert(place, entry);
  if (best_.size() > kMostEntries) best_.pop_back();
  return is_best;
}

}  // namespace escan
