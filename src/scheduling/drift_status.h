#pragma once

#include <cstdint>
#include <string_view>

namespace escan {

// How the scores of a stage compare with those of the calibration.
struct DriftStatus {
  enum class State {
    kOff,              // the calibration has no scores of the stage
    kWaiting,          // no window is full yet
    kOtherThresholds,  // those of earlier stages are not the calibration's: other samples get here
    kAsCalibrated,     // the last full window gives no reason to doubt
    kDrifted,          // it does
  };

  State state = State::kOff;
  uint64_t windows = 0;          // that were compared
  uint64_t windows_drifted = 0;  // of them
  // Of the last one:
  uint64_t samples = 0;
  double statistic = 0;  // chi-square
  double limit = 0;      // above which it has drifted
  double moved = 0;      // part of the scores that would have to lie elsewhere, in [0, 1]

  friend bool operator==(const DriftStatus&, const DriftStatus&) = default;
};

// "off", "waiting", "other_thresholds", "as_calibrated", "drifted"
constexpr std::string_view Name(DriftStatus::State state) {
  switch (state) {
    case DriftStatus::State::kOff:
      return "off";
    case DriftStatus::State::kWaiting:
      return "waiting";
    case DriftStatus::State::kOtherThresholds:
      return "other_thresholds";
    case DriftStatus::State::kAsCalibrated:
      return "as_calibrated";
    case DriftStatus::State::kDrifted:
      return "drifted";
  }
  return "";
}

}  // namespace escan
