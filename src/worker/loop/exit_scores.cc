#include "worker/loop/exit_scores.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace escan {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

bool IsProbabilityVector(std::span<const float> p) {
  return std::all_of(p.begin(), p.end(), [](float x) { return std::isfinite(x) && x >= 0; });
}

float MaxProbability(std::span<const float> p) { return *std::max_element(p.begin(), p.end()); }

float Margin(std::span<const float> p) {
  float first = 0;
  float second = 0;
  for (const float x : p) {
    second = std::max(second, std::min(first, x));
    first = std::max(first, x);
  }
  return first - second;
}

// Shannon's H(p) = -sum p ln p with 0 ln 0 = 0, scaled by its largest value, ln C.
float Certainty(std::span<const float> p) {
  if (p.size() == 1) return 1;
  double entropy = 0;
  for (const double x : p) {
    if (x > 0) entropy -= x * std::log(x);
  }
  return static_cast<float>(1 - entropy / std::log(static_cast<double>(p.size())));
}

}  // namespace

float ExitScoreOf(ExitScore score, std::span<const float> values) {
  if (values.empty()) return kNan;
  if (score == ExitScore::kOutput) return values.front();
  if (!IsProbabilityVector(values)) return kNan;
  switch (score) {
    case ExitScore::kMaxProbability:
      return MaxProbability(values);
    case ExitScore::kMargin:
      return Margin(values);
    case ExitScore::kEntropy:
      return Certainty(values);
    case ExitScore::kNone:
    case ExitScore::kOutput:
      break;
  }
  return kNan;
}

}  // namespace escan
