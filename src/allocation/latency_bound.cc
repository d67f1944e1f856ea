#include "allocation/latency_bound.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace escan {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

}  // namespace

double LatencyBound::OfFirst(int stages, const SearchChoice& choice) const {
  double sum = 0;
  for (int stage = 0; stage < std::min(stages, static_cast<int>(late_.counted())); ++stage) {
    const ClassSet chosen = choice.stages[static_cast<size_t>(stage)].hosts;
    if (chosen != 0) {
      sum += Least(stage, chosen, choice);
      continue;
    }
    double least = kInfinite;
    for (ClassSet hosts = 1; hosts <= options_.all(); ++hosts) {
      if ((hosts & choice.ended) == 0) least = std::min(least, Least(stage, hosts, choice));
    }
    sum += least;
  }
  return sum;
}

double LatencyBound::Least(int stage, ClassSet hosts, const SearchChoice& choice) const {
  const int workers = options_.workers(hosts);
  const double busy = contest_.rate() * choice.slowdown * Offered(stage, hosts, choice) / workers;
  const WaitBounds::Residual& residual = waits_.ResidualAt(stage, workers, busy);
  const double queue = waits_.QueueAt(stage, workers, choice.use, choice.log_use);
  const double longest = Longest(hosts, choice);
  const double behind = residual.of_one * LongestBehind(hosts, choice);
  const StageOptionRow& row = options_.Row(stage, hosts);
  const size_t size = row.SizeAt(choice.slowdown);
  double least = kInfinite;
  for (const StageOption& option : row.options) {
    const double step = row.slowest[std::min(size, option.bucket)];
    const double waits =
        std::max(step, longest) * (residual.of_any + option.group * queue) + behind;
    least = std::min(least, option.delay + choice.slowdown * (option.steps * step + waits));
  }
  return least;
}

double LatencyBound::OfLast(int stage, const SearchChoice& choice) const {
  double delays = 0;
  double steps = 0;
  for (int i = stage; i < static_cast<int>(late_.counted()); ++i) {
    const SearchChoice::Stage& chosen = choice.stages[static_cast<size_t>(i)];
    const int workers = options_.workers(chosen.hosts);
    const double busy = contest_.rate() * choice.slowdown * chosen.offered / workers;
    const WaitBounds::Residual& residual = waits_.ResidualAt(i, workers, busy);
    const double queue = waits_.QueueAt(i, workers, choice.use, choice.log_use);
    delays += chosen.option->delay;
    const StageOptionRow& row = options_.Row(i, chosen.hosts);
    const size_t size = std::min(row.SizeAt(choice.slowdown), chosen.option->bucket);
    steps += chosen.option->steps * row.slowest[size] +
             Longest(chosen.hosts, choice) * (residual.of_any + chosen.option->group * queue) +
             LongestBehind(chosen.hosts, choice) * residual.of_one;
  }
  return delays + choice.slowdown * steps;
}

// To its hosts, by the stages whose hosts are chosen.
double LatencyBound::Offered(int stage, ClassSet hosts, const SearchChoice& choice) const {
  const SearchChoice::Stage& chosen = choice.stages[static_cast<size_t>(stage)];
  if (chosen.hosts != 0) return chosen.offered;
  double offered = options_.Unbatched(stage, hosts);
  for (int other = stage + 1; other < grid_.stages(); ++other) {
    offered += options_.Unbatched(other, choice.stages[static_cast<size_t>(other)].hosts & hosts);
  }
  return offered;
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
