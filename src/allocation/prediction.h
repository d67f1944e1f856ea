#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "allocation/capacity.h"
#include "allocation/step_costs.h"
#include "allocation/workload.h"
#include "contracts/plan.h"
#include "escan/time.h"

namespace escan {

// What bounds a plan's rate most.
struct Bottleneck {
  enum class Kind { kWorkers, kDevice, kBus };

  Kind kind = Kind::kWorkers;
  int stage = 0;   // on which most of it is spent
  int group = 0;   // of the plan: the one whose workers are busiest
  int device = 0;  // the one that is used most
};

// What the model says about a plan, see docs/allocation.md.
struct Prediction {
  Capacity capacity;
  WorkDivision division;  // by group of the plan and by stage
  Bottleneck bottleneck;

  // The highest rate, in samples per second, that keeps the objective, 0 if none does; without an
  // objective, the capacity.
  double goodput = 0;

  double rate = 0;                     // what follows is at this rate: the workload's, or goodput
  Seconds p99{};                       // infinite from the capacity on
  std::vector<double> expected_batch;  // rows by stage

  size_t memory_bytes = 0;  // of the device that needs most, see DeviceMemory
};

// The plan is valid for the profile's cascade, and the workload names a ratio for each stage. With
// `regroup: false` no stage speculates. Plain code; any thread.
Prediction Predict(const StepCosts& costs, const Workload& workload, const Plan& plan);

}  // namespace escan
