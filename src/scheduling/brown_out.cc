#include "scheduling/brown_out.h"

namespace escan {

float BrownOut::Threshold(int stage, float threshold) const {
  if (level_ == 0) return threshold;
  const float lowest = lowest_[static_cast<size_t>(stage)];
  if (lowest >= threshold) return threshold;
  if (level_ == kLevels) return lowest;
  return threshold - (threshold - lowest) * static_cast<float>(level_) / kLevels;
}

void BrownOut::Admitted(Duration budget) {
  constexpr int kLatest = 64;
  mean_budget_ =
      mean_budget_ == Duration::zero() ? budget : mean_budget_ + (budget - mean_budget_) / kLatest;
}

bool BrownOut::Update(double pressure, TimePoint now) {
  if (now < next_) return false;
  next_ = now + kBetweenSteps;
  if (pressure > kLittle) little_ = false;
  if (pressure >= kMuch) {
    if (level_ == kLevels) return false;
    ++level_;
    ++steps_;
    return true;
  }
  if (pressure > kLittle || level_ == 0) return false;
  if (!little_) {
    little_ = true;
    little_since_ = now;
  }
  if (now - little_since_ < kLittleForSoLong) return false;
  little_ = false;
  --level_;
  ++steps_;
  return true;
}

}  // namespace escan
