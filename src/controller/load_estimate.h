#pragma once

#include <vector>

#include "engine/engine_status.h"
#include "scheduling/arrival_estimator.h"
#include "scheduling/exit_estimate.h"

namespace escan {

// What is known of a cascade's load at one moment, from its live traffic.
struct LoadEstimate {
  std::vector<ExitEstimate> exits;  // by stage; the last one's says nothing
  ArrivalEstimate arrivals;
  bool saturated = false;  // requests are refused for want of slots, or nearly
};

LoadEstimate LoadOf(const EngineStatus& status);

}  // namespace escan
