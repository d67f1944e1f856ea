#include "scheduling/score_drift.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace escan {
namespace {

using State = DriftStatus::State;

// That a standard normal variable exceeds with the probability kFalseAlarms.
constexpr double kFalseAlarmsZ = 4.2649;

}  // namespace

double ChiSquareLimit(int degrees, double z) {
  const double ninth = 2.0 / (9.0 * degrees);
  return degrees * std::pow(1 - ninth + z * std::sqrt(ninth), 3);
}

ScoreDrift::ScoreDrift(const ScoreHistogram& calibrated, const DriftOptions& options)
    : calibrated_(calibrated),
      options_(options),
      limit_(calibrated.edges.empty()
                 ? 0
                 : ChiSquareLimit(static_cast<int>(calibrated.edges.size()), kFalseAlarmsZ)),
      counts_(calibrated.counts.size()) {
  for (const uint64_t count : calibrated.counts) calibrated_total_ += static_cast<double>(count);
  const bool on = !calibrated.counts.empty() && options.window > Duration::zero();
  status_.state = on ? State::kWaiting : State::kOff;
  status_.limit = limit_;
}

bool ScoreDrift::Add(float score, TimePoint now) {
  if (status_.state == State::kOff || status_.state == State::kOtherThresholds) return false;
  if (std::isnan(score)) return false;
  if (total_ == 0) begun_ = now;
  const auto bin = std::ranges::upper_bound(calibrated_.edges, score) - calibrated_.edges.begin();
  ++counts_[static_cast<size_t>(bin)];
  ++total_;
  return total_ >= options_.samples && now - begun_ >= options_.window && EndWindow();
}

void ScoreDrift::Compare(bool comparable) {
  const bool compared = status_.state != State::kOtherThresholds;
  if (status_.state == State::kOff || compared == comparable) return;
  status_.state = comparable ? State::kWaiting : State::kOtherThresholds;
  Begin();
}

void ScoreDrift::Begin() {
  std::ranges::fill(counts_, 0);
  total_ = 0;
}

// Sum over the bins of (a sqrt(N/M) - b sqrt(M/N))^2 / (a + b), of M scores here and N there.
bool ScoreDrift::EndWindow() {
  const auto total = static_cast<double>(total_);
  const double here = std::sqrt(calibrated_total_ / total);
  double statistic = 0;
  double moved = 0;
  for (size_t bin = 0; bin < counts_.size(); ++bin) {
    const auto now = static_cast<double>(counts_[bin]);
    const auto then = static_cast<double>(calibrated_.counts[bin]);
    statistic += std::pow(now * here - then / here, 2) / (now + then);
    moved += std::abs(now / total - then / calibrated_total_) / 2;
  }
  const State before = status_.state;
  const bool drifted = statistic > limit_;
  status_.state = drifted ? State::kDrifted : State::kAsCalibrated;
  ++status_.windows;
  status_.windows_drifted += drifted ? 1 : 0;
  status_.samples = total_;
  status_.statistic = statistic;
  status_.moved = moved;
  Begin();
  return status_.state != before;
}

}  // namespace escan
