#include "controller/load_estimate.h"

namespace escan {
namespace {

// A burst may fill the slots for a moment: it takes more to be an overload.
constexpr double kRefused = 0.01;     // of the samples
constexpr double kSlotsInUse = 0.95;  // of the slots

}  // namespace

LoadEstimate LoadOf(const EngineStatus& status) {
  LoadEstimate load{.arrivals = status.arrivals};
  for (const EngineStatus::Stage& stage : status.stages) {
    load.exits.push_back(stage.statistics.exits.estimate());
  }
  load.saturated = status.arrivals.refused > kRefused ||
                   status.slots_in_use > kSlotsInUse * static_cast<double>(status.slots);
  return load;
}

}  // namespace escan
