#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "escan/time.h"

namespace escan {

// How far thresholds are lowered so that a cascade that is asked too much answers more samples
// early instead of refusing requests: 0 is not at all, kLevels as far as is allowed.
//
// Pressure is how near the cascade is to refusing: 1 is there. It is the larger of two parts: that
// of the slots which are in use, and that of the time requests are given which the longest waiting
// sample has waited. With much pressure the level goes up, a step at a time, so that each step may
// show its effect. It goes down when there was little for long. In between it stays.
//
// Plain code; owned by the scheduler's core. Does not allocate after the constructor.
class BrownOut {
 public:
  static constexpr int kLevels = 4;
  static constexpr double kMuch = 0.5;
  static constexpr double kLittle = 0.2;
  static constexpr Duration kBetweenSteps = std::chrono::milliseconds(100);
  static constexpr Duration kLittleForSoLong = std::chrono::seconds(5);

  // The lowest thresholds, one a stage; empty: there is no brown-out.
  explicit BrownOut(std::vector<float> lowest_thresholds) : lowest_(std::move(lowest_thresholds)) {}

  bool on() const { return !lowest_.empty(); }
  int level() const { return level_; }
  uint64_t steps() const { return steps_; }  // up and down, so far

  // What is left of a stage's threshold at this level; it stays where it is below the lowest one.
  float Threshold(int stage, float threshold) const;

  // A request is admitted that has so much time.
  void Admitted(Duration budget);
  // The mean of it, of the latest requests; zero before the first.
  Duration mean_budget() const { return mean_budget_; }

  // True when the level is another one now.
  bool Update(double pressure, TimePoint now);
  // When Update is to be called again, whatever happens until then; TimePoint::max(): it need not.
  TimePoint due() const { return level_ > 0 ? next_ : TimePoint::max(); }

 private:
  const std::vector<float> lowest_;
  int level_ = 0;
  uint64_t steps_ = 0;
  Duration mean_budget_{};
  TimePoint next_{};          // nothing changes before
  TimePoint little_since_{};  // pressure; of no meaning while `little_` is false
  bool little_ = false;
};

}  // namespace escan
