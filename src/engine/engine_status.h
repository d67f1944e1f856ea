#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "contracts/plan.h"
#include "engine/worker_answers.h"
#include "escan/verdict.h"
#include "ipc/frames.h"
#include "scheduling/arrival_estimator.h"
#include "scheduling/stage_statistics.h"
#include "supervision/fleet.h"

namespace escan {

// What audits of samples that exited at a stage have shown.
struct AuditCount {
  uint64_t audited = 0;    // samples that the last stage answered, too
  uint64_t disagreed = 0;  // of them, that the last stage puts into another class

  friend bool operator==(const AuditCount&, const AuditCount&) = default;
};

// What an operator and the metrics see of a cascade; one consistent moment of the engine.
struct EngineStatus {
  struct Stage {
    StagePolicy policy;
    float threshold = 0;      // in effect
    float set_threshold = 0;  // the same without a brown-out
    int ready_workers = 0;
    int queued = 0;
    int in_flight = 0;
    StageStatistics statistics;
    AuditCount audits{};
  };
  struct Worker {
    Fleet::Member member;
    pid_t pid = 0;                                  // 0: no process
    WorkerState reported = WorkerState::kStarting;  // the process's own word
    int progress_done = 0;
    int progress_total = 0;
    int multiprocessors = 0;            // of its GPU, as it is shown them; 0: it uses none
    size_t device_memory = 0;           // bytes of its GPU's memory that it takes
    std::vector<BucketCheck> checks{};  // of what it hosts, before it was ready or has failed
  };
  std::vector<Stage> stages;
  std::vector<Worker> workers;
  std::vector<WorkerAnswers> answers;          // that were checked; by worker and stage
  std::vector<DoubtfulShare> doubtful_shares;  // of all plans since the engine was started
  ArrivalEstimate arrivals;
  Plan plan;  // in effect
  int slots = 0;
  int slots_in_use = 0;
  int requests = 0;
  uint64_t worker_restarts = 0;
  uint64_t plan_changes = 0;
  bool plan_change_in_progress = false;
  int brown_out = 0;             // how far the thresholds are lowered, of BrownOut::kLevels
  uint64_t brown_out_steps = 0;  // up and down, so far
  bool ready = false;            // every stage has a ready worker
};

}  // namespace escan
