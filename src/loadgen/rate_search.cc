#include "loadgen/rate_search.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace escan::loadgen {
namespace {

constexpr double kFirstStep = 1.25;  // the factor between the first two rates
constexpr double kLongestStep = 4;
constexpr double kLowestPart = 1e-3;  // of the start rate: below it the search gives up
constexpr int kProbesThatDoubt = 2;   // that kept an objective under a rate that missed it

}  // namespace

RateSearch::RateSearch(const RateSearchOptions& options) : options_(options) {}

void RateSearch::Add(RateProbe probe) { probes_.push_back(std::move(probe)); }

std::optional<double> RateSearch::Next() const {
  if (probes_.empty()) return options_.start_rate;
  for (size_t objective = 0; objective < options_.objectives; ++objective) {
    if (const std::optional<double> rate = NextFor(objective)) return rate;
  }
  return std::nullopt;
}

bool RateSearch::Settled(size_t objective) const { return !probes_.empty() && !NextFor(objective); }

RateBracket RateSearch::Bracket(size_t objective) const {
  RateBracket bracket;
  for (const RateProbe& probe : probes_) {
    if (probe.kept[objective]) bracket.kept = std::max(bracket.kept.value_or(0), probe.rate);
  }
  for (const RateProbe& probe : probes_) {
    if (probe.kept[objective] || probe.rate <= bracket.kept.value_or(0)) continue;
    bracket.missed = std::min(bracket.missed.value_or(probe.rate), probe.rate);
  }
  return bracket;
}

std::optional<double> RateSearch::NextFor(size_t objective) const {
  const RateBracket bracket = Bracket(objective);
  if (!bracket.missed) return StepOut(/*up=*/true);
  if (!bracket.kept) {
    const double rate = StepOut(/*up=*/false);
    return rate < options_.start_rate * kLowestPart ? std::nullopt : std::optional(rate);
  }
  if (*bracket.missed > *bracket.kept * (1 + options_.tolerance)) {
    return std::sqrt(*bracket.kept * *bracket.missed);
  }
  return MissedByChance(objective, *bracket.missed) ? bracket.missed : std::nullopt;
}

bool RateSearch::MissedByChance(size_t objective, double missed) const {
  int times_missed = 0;
  int kept_since = 0;
  for (const RateProbe& probe : probes_) {
    if (probe.rate == missed) {
      ++times_missed;
      kept_since = 0;
    } else if (times_missed > 0 && probe.rate < missed) {
      kept_since = probe.kept[objective] ? kept_since + 1 : 0;
    }
  }
  return times_missed == 1 && kept_since >= kProbesThatDoubt;
}

// Beyond the outermost rate that was tried, by a factor that grows with the way from the start: a
// start that is nearly right takes few probes, and so does one that is wrong by orders of
// magnitude.
double RateSearch::StepOut(bool up) const {
  double outermost = options_.start_rate;
  for (const RateProbe& probe : probes_) {
    outermost = up ? std::max(outermost, probe.rate) : std::min(outermost, probe.rate);
  }
  const double gone = up ? outermost / options_.start_rate : options_.start_rate / outermost;
  const double step = std::clamp(gone * kFirstStep, kFirstStep, kLongestStep);
  return up ? outermost * step : outermost / step;
}

}  // namespace escan::loadgen
