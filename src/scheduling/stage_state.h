#pragma once

#include <cstdint>
#include <utility>

#include "contracts/plan.h"
#include "escan/cascade.h"
#include "scheduling/exit_estimator.h"
#include "scheduling/score_drift.h"
#include "scheduling/stage_statistics.h"

namespace escan {

// What the scheduler keeps of one stage besides its samples.
struct StageState {
  StageState(const StageSpec& stage, Duration exit_window, ScoreDrift score_drift)
      : spec(&stage),
        threshold(stage.exit.threshold),
        set_threshold(stage.exit.threshold),
        exits(exit_window),
        drift(std::move(score_drift)) {}

  const StageSpec* spec;
  StagePolicy policy;
  float threshold;               // in effect
  float set_threshold;           // that was set; a brown-out lowers it
  uint8_t brown_out = 0;         // the level of the threshold in effect
  uint64_t threshold_epoch = 0;  // counts the changes
  ExitEstimator exits;
  ScoreDrift drift;
  StageStatistics statistics;
};

}  // namespace escan
