#pragma once

#include <map>
#include <vector>

#include "contracts/plan.h"
#include "engine/check_review.h"
#include "engine/worker_link.h"
#include "escan/cascade.h"
#include "escan/ids.h"
#include "escan/verdict.h"
#include "ipc/frames.h"

namespace escan {

// Keeps what workers found out about their answers before they were ready, and tells the log what
// an operator has to know of it. Owned by EngineLoop, on its thread.
class WorkerChecks {
 public:
  // `cascade` outlives this.
  explicit WorkerChecks(const CascadeSpec& cascade) : cascade_(cascade), review_(cascade) {}

  // A process is started as this worker. Numbers are used again: what was found of one with another
  // role says nothing of it.
  void Assign(WorkerId worker, const WorkerGroup& role);
  // A frame of the worker's present process.
  void Take(WorkerId worker, const CheckFrame& frame, WorkerLink* link);
  // All of the worker's checks are there. `thresholds` has one a stage.
  void Review(const WorkerLink& link, const std::vector<float>& thresholds);
  // The worker's process has ended. True when it had answered wrongly.
  bool HandleEnd(WorkerId worker, const WorkerLink& link);

  // What the last process of a worker found that has none now; nullptr when there was none.
  const std::vector<BucketCheck>* of_ended(WorkerId worker) const;

 private:
  struct Ended {
    WorkerGroup role;
    std::vector<BucketCheck> checks;
  };

  const CascadeSpec& cascade_;
  CheckReview review_;
  std::map<WorkerId, Ended> of_ended_;
};

}  // namespace escan
