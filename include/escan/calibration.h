#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "escan/time.h"

namespace escan {

// How the exit scores of samples were distributed. Bin i holds the scores s with
// edges[i-1] <= s < edges[i]; the first and the last bin have no bound below and above.
struct ScoreHistogram {
  std::vector<float> edges;      // ascending
  std::vector<uint64_t> counts;  // one more than there are edges; empty: the stage has no histogram

  friend bool operator==(const ScoreHistogram&, const ScoreHistogram&) = default;
};

// What a calibration found out about one stage.
struct StageCalibration {
  std::optional<float> threshold;         // absent where the stage never answers early
  std::optional<float> lowest_threshold;  // with which accuracy is still what was asked for
  ScoreHistogram scores;                  // of the samples that reached the stage

  friend bool operator==(const StageCalibration&, const StageCalibration&) = default;
};

// The result of a calibration, as docs/calibration.md has it. No stages: there is none.
struct Calibration {
  std::filesystem::path file;  // absolute
  std::vector<StageCalibration> stages;
};

// How long answers are remembered, so that labels which come later find them.
struct FeedbackSpec {
  int samples = 0;  // at most so many; 0: none
  Duration keep{};  // at most so long

  friend bool operator==(const FeedbackSpec&, const FeedbackSpec&) = default;
};

}  // namespace escan
