#pragma once

#include <cstddef>
#include <vector>

#include "escan/time.h"

namespace escan {

// `count` equal worker processes.
struct WorkerGroup {
  int count = 1;
  int device = 0;            // index into the configuration's devices
  int thread_percent = 100;  // CUDA MPS active thread percentage; on the CPU the part of its cores
  int credits = 1;           // batches that may be in flight at one worker
  std::vector<int> stages;   // indices of the hosted stages, ascending
  size_t memory_limit = 0;   // bytes of a GPU's memory that one worker may take; 0: no limit

  friend bool operator==(const WorkerGroup&, const WorkerGroup&) = default;
};

// How the batches of one stage are formed. Changes at once.
struct StagePolicy {
  int max_batch = 1;       // rows; at most the stage's largest bucket
  Duration max_delay{};    // how long the oldest sample may wait for the batch to fill
  bool speculate = false;  // queue a sample here as soon as it is queued at the stage before

  friend bool operator==(const StagePolicy&, const StagePolicy&) = default;
};

// What happens to a sample's copies at later stages once an earlier stage answered it.
enum class CancelPolicy {
  kQueued,  // copies that no worker holds are dropped
  kNever,   // all are executed
};

struct PlanOptions {
  // True: survivors of many batches meet in the next stage's queue. False: the survivors of a batch
  // go on together, alone, on the same worker, before it takes anything else.
  bool regroup = true;
  CancelPolicy cancel = CancelPolicy::kQueued;

  friend bool operator==(const PlanOptions&, const PlanOptions&) = default;
};

// Which processes host which stages of a cascade, and how batches are formed. Every stage is hosted
// by at least one worker; with `regroup: false` a worker that hosts a stage hosts all later ones.
struct Plan {
  std::vector<WorkerGroup> workers;
  std::vector<StagePolicy> stages;  // one a stage of the cascade
  PlanOptions options;

  friend bool operator==(const Plan&, const Plan&) = default;
};

}  // namespace escan
