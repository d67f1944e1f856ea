#pragma once

#include <cstdint>

#include "contracts/plan.h"
#include "escan/cascade.h"
#include "scheduling/exit_estimator.h"
#include "scheduling/stage_statistics.h"

namespace escan {

// What the scheduler keeps of one stage besides its samples.
struct StageState {
  StageState(const StageSpec& stage, Duration exit_window)
      : spec(&stage), threshold(stage.exit.threshold), exits(exit_window) {}

  const StageSpec* spec;
  StagePolicy policy;
  float threshold;
  uint64_t threshold_epoch = 0;  // counts the changes
  ExitEstimator exits;
  StageStatistics statistics;
};

}  // namespace escan
