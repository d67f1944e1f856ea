#include "allocation/contest.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "allocation/memory.h"
#include "allocation/tail_latency.h"

namespace escan {

Contest::Contest(const SearchGrid& grid, Goal goal)
    : grid_(grid),
      goal_(goal),
      objective_(
          grid.workload().objective.value_or(Seconds(std::numeric_limits<double>::infinity()))),
      model_(grid) {
  SetTargets();
}

bool Contest::MayWin(Seconds p99, size_t memory) const {
  if (goal_ == Goal::kGoodput || ranking_.empty()) return p99 <= objective_;
  const double best = ranking_.front().value;
  return p99.count() < best * (1 - kEqual) ||
         (p99.count() <= best * (1 + kEqual) && memory < ranking_.front().memory);
}

std::optional<double> Contest::Value(const Candidate& candidate) {
  const Capacity& capacity = model_.Predict(candidate);
  const bool full = ranking_.size() == kRanking;
  if (goal_ == Goal::kLatency) {
    if (capacity.rate <= capacity_to_beat_) return std::nullopt;
    const Seconds p99 = TailLatency(model_.load(), capacity, rate_).P99();
    if (p99 > objective_ || std::isinf(p99.count())) return std::nullopt;
    return p99.count();
  }
  const double least = full ? ranking_.back().value : 0;
  if (capacity.rate <= least) return std::nullopt;
  if (!grid_.workload().objective) return capacity.rate;
  if (TailLatency(model_.load(), capacity, least).P99() > objective_) return std::nullopt;
  const double goodput = Goodput(model_.load(), capacity, objective_);
  return goodput > 0 ? std::optional(goodput) : std::nullopt;
}

bool Contest::Before(const Entry& a, const Entry& b) const {
  if (goal_ == Goal::kGoodput) return a.value > b.value * (1 + kEqual);
  if (a.value < b.value * (1 - kEqual)) return true;
  return a.value <= b.value * (1 + kEqual) && a.memory < b.memory;
}

bool Contest::Try(const Candidate& candidate) {
  if (candidate.HasTwins()) return false;
  const size_t memory = grid_.Memory(candidate);
  if (!Fits(grid_.profile(), memory)) return false;
  ++evaluations_;
  const std::optional<double> value = Value(candidate);
  if (!value) return false;
  const Entry entry{.candidate = candidate, .value = *value, .memory = memory};
  const auto same = std::ranges::find_if(ranking_, [&](const Entry& other) {
    return std::ranges::equal(other.candidate.used(), candidate.used());
  });
  if (same != ranking_.end()) {
    if (!Before(entry, *same)) return false;
    ranking_.erase(same);
  }
  const auto place =
      std::ranges::find_if(ranking_, [&](const Entry& other) { return Before(entry, other); });
  const bool best = place == ranking_.begin();
  ranking_.insert(place, entry);
  if (ranking_.size() > kRanking) ranking_.pop_back();
  if (best) SetTargets();
  return best;
}

void Contest::SetTargets() {
  if (goal_ == Goal::kLatency) {
    rate_ = *grid_.workload().rate;
    capacity_to_beat_ = kHeadroom * rate_ * (1 - kEqual);
    return;
  }
  rate_ = ranking_.empty() ? 0 : ranking_.front().value * (1 + kEqual);
  capacity_to_beat_ = rate_;
}

}  // namespace escan
