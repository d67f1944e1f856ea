#pragma once

#include <optional>
#include <string>

#include "allocation/workload.h"
#include "contracts/plan.h"
#include "engine/engine_status.h"
#include "escan/time.h"
#include "simulation/simulated_figures.h"

namespace escan {

// What it costs to go from one plan to another while requests are served.
struct ChangeCost {
  Duration time{};      // until the new plan is in effect
  double slowdown = 1;  // by how much longer steps take meanwhile
};

// Learns from each change of one cascade what the next one will cost. Plain code; one thread at a
// time.
class ChangeCostMeter {
 public:
  // `in_turn`: workers start one after the other, as on a CPU.
  explicit ChangeCostMeter(bool in_turn) : in_turn_(in_turn) {}

  // Before the first change its time is that of the present workers' starts, and the slowdown is
  // not known: none.
  ChangeCost Expect(const EngineStatus& status, const Plan& to) const;

  // A change of workers went from the one status to the other and took `took`, with so many starts.
  void Measured(const EngineStatus& before, const EngineStatus& after, int starts, Duration took);

 private:
  const bool in_turn_;
  std::optional<Duration> start_took_;  // of one worker, while others served
  double slowdown_ = 1;
};

// How many workers of `to` are not among those of `from`.
int StartsFor(const Plan& from, const Plan& to);

// What the figures say of whether a better plan is worth its change: what it brings within
// `horizon`, for which a load is expected to last, against what is lost meanwhile. Empty: it is;
// else why not.
std::string WhyNotWorth(const ChangeCost& cost, const Workload& workload,
                        const SimulatedFigures& before, const SimulatedFigures& after,
                        Duration horizon);

}  // namespace escan
