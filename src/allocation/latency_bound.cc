#include "allocation/latency_bound.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace escan {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

}  // namespace

double LatencyBound::Known::With(const StageOption& option) const {
  const double step = row.slowest[std::min(size, option.bucket)];
  const double waits = std::max(step, longest) * (residual + option.group * queue) + behind;
  return option.delay + slowdown * (option.steps * step + waits);
}

// Of limits that hold what gathers the largest is best, but for single rows, which need no delay.
double LatencyBound::Known::Least() const {
  double least = With(row.options.back());
  for (size_t bucket = 0; bucket < std::max<size_t>(size, 1); ++bucket) {
    least = std::min(least, With(row.options[bucket]));
  }
  return least;
}

double LatencyBound::Of(const SearchChoice& choice) const {
  double sum = 0;
  for (int stage = 0; stage < counted(); ++stage) sum += At(stage, choice);
  return sum;
}

double LatencyBound::OfOthers(int stage, const SearchChoice& choice) const {
  double sum = 0;
  for (int other = 0; other < counted(); ++other) {
    if (other != stage) sum += At(other, choice);
  }
  return sum;
}

double LatencyBound::With(int stage, const StageOption& option, const SearchChoice& choice) const {
  if (stage >= counted()) return 0;
  return KnownOf(stage, choice.stages[static_cast<size_t>(stage)].hosts, choice).With(option);
}

double LatencyBound::At(int stage, const SearchChoice& choice) const {
  const SearchChoice::Stage& chosen = choice.stages[static_cast<size_t>(stage)];
  if (chosen.option != nullptr) return With(stage, *chosen.option, choice);
  if (chosen.hosts != 0) return KnownOf(stage, chosen.hosts, choice).Least();
  double least = kInfinite;
  for (ClassSet hosts = 1; hosts <= options_.all(); ++hosts) {
    if ((hosts & choice.ended) != 0) continue;
    least = std::min(least, KnownOf(stage, hosts, choice).Least());
  }
  return least;
}

LatencyBound::Known LatencyBound::KnownOf(int stage, ClassSet hosts,
                                          const SearchChoice& choice) const {
  const StageOptionRow& row = options_.Row(stage, hosts);
  const int workers = options_.workers(hosts);
  const bool added = stage >= choice.unhosted;
  const double offered =
      choice.offered[hosts] + (added ? 0 : grid_.reach(stage) * row.slowest.front());
  const double busy = contest_.rate() * choice.slowdown * offered / workers;
  const WaitBounds::Residual& residual = waits_.ResidualAt(stage, workers, busy);
  return {.row = row,
          .size = row.SizeAt(choice.slowdown),
          .slowdown = choice.slowdown,
          .longest = Longest(hosts, choice),
          .behind = residual.of_one * LongestBehind(hosts, choice),
          .residual = residual.of_any,
          .queue = waits_.QueueAt(stage, workers, choice.use, choice.log_use)};
}

double LatencyBound::Longest(ClassSet hosts, const SearchChoice& choice) const {
  double longest = 0;
  for (size_t c = 0; c < kMostClasses; ++c) {
    if (Has(hosts, c)) longest = std::max(longest, choice.longest[c]);
  }
  return longest;
}

double LatencyBound::LongestBehind(ClassSet hosts, const SearchChoice& choice) const {
  double longest = 0;
  for (size_t c = 0; c < kMostClasses; ++c) {
    const bool complete = choice.unhosted == 0 || Has(choice.ended, c);
    if (complete && Has(hosts, c) && choice.unbatched.is_short(c)) {
      longest = std::max(longest, choice.longest[c]);
    }
  }
  return longest;
}

}  // namespace escan
