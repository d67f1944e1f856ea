#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "contracts/device.h"
#include "contracts/plan.h"
#include "escan/cascade.h"
#include "escan/ids.h"
#include "ipc/frames.h"
#include "ipc/slab.h"
#include "scheduling/arrival_estimator.h"
#include "scheduling/scheduler.h"
#include "scheduling/stage_statistics.h"
#include "supervision/fleet.h"
#include "supervision/worker_host.h"
#include "supervision/worker_process.h"

namespace escan {

class ArrivalMeter;
class Completer;
class EngineLoop;
class Mailbox;
class ModelFiles;
class SlotPool;

struct EngineOptions {
  std::shared_ptr<WorkerHost> host;   // runs the workers; not null
  std::vector<Device> devices;        // what plans refer to
  std::string cache;                  // folder for what workers found by trying; empty: none
  std::vector<int> cpus;              // that CPU workers may use
  bool pin_cpus = true;               // a worker runs on the CPUs of its share only
  int worker_output = STDERR_FILENO;  // the workers' standard output and error
  int completer_threads = 1;          // call Completion::OnComplete
  FleetOptions fleet;
  SchedulerOptions scheduler;
};

// Receives the end of a request. Made and owned by whoever submits it; must live until OnComplete.
class Completion {
 public:
  virtual ~Completion() = default;
  // Exactly once, on a completer thread; must not block. Outputs may be read until Release.
  virtual void OnComplete(const Outcome& outcome) = 0;
};

// What checks of answers have shown of one worker at one stage, of all its processes.
struct WorkerAnswers {
  WorkerId worker = -1;
  int stage = 0;
  uint64_t checked = 0;  // rows that it had answered
  uint64_t wrong = 0;    // rows that it answered, or compared, wrongly

  friend bool operator==(const WorkerAnswers&, const WorkerAnswers&) = default;
};

// What audits of samples that exited at a stage have shown.
struct AuditCount {
  uint64_t audited = 0;    // samples that the last stage answered, too
  uint64_t disagreed = 0;  // of them, that the last stage puts into another class

  friend bool operator==(const AuditCount&, const AuditCount&) = default;
};

// A share of a device at which a worker answered wrongly, before it was ready or while it served.
struct DoubtfulShare {
  int device = 0;
  std::vector<int> stages;
  int thread_percent = 0;
  int replaced = 0;  // workers

  friend bool operator==(const DoubtfulShare&, const DoubtfulShare&) = default;
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

struct PlanChange {
  int workers_started = 0;
  int workers_stopped = 0;
  Duration took{};
};

// One cascade at run time: its slab, its workers and the thread that runs scheduler and fleet.
// Knows neither gRPC nor the configuration file. The way of a request:
//
//   Acquire -> write inputs -> Submit -> OnComplete -> read outputs -> Release
//
// or, when it turns out to be wrong before Submit, Acquire -> Release. All of it thread-safe, none
// of it blocks. Outputs of an answered row lie at output(slot, answer(slot).stage, ...).
class Engine {
 public:
  // Reads the models, starts the workers and returns without waiting for them. NotFound and other
  // errors of the file system name the stage and its model.
  static absl::StatusOr<std::unique_ptr<Engine>> Start(const CascadeSpec& cascade, const Plan& plan,
                                                       const EngineOptions& options);
  // Ends everything at once; requests still inside complete with kUnavailable first.
  ~Engine();

  // --- requests; any thread
  // A chain of `rows` slots, all or none: ResourceExhausted at once when too few are free. Either
  // way it counts as an arrival. Unavailable, with the reason, while starts of all workers of a
  // stage fail.
  absl::StatusOr<RequestKey> Acquire(int rows);
  SlotId NextSlot(SlotId slot) const;
  std::byte* input(SlotId slot, int tensor) const;
  const std::byte* output(SlotId slot, int stage, int tensor) const;
  // `completion` is called exactly once, also for a request that is already past its deadline.
  void Submit(const Admission& admission, Completion* completion);
  // The client is gone; OnComplete still follows, once.
  void Cancel(const RequestKey& key);
  const SampleAnswer& answer(SlotId slot) const;
  void Release(const RequestKey& key);

  // --- operators; any thread but a completer's; these block
  EngineStatus Status();
  bool ready() const;                    // these two do not block
  std::string not_ready_reason() const;  // empty: it is ready
  // Whether the engine's thread does something for others before `deadline`: it does not stand
  // still. True once the engine was stopped.
  bool Answers(TimePoint deadline);
  // Puts a plan into effect; returns when it is (see Fleet). Aborted: another change is under way.
  // FailedPrecondition: workers could not be started; the plan before goes on.
  absl::StatusOr<PlanChange> SetPlan(const Plan& plan);
  // Replaces the workers on a device by new ones of the same plan, as a plan change does. `done` is
  // called on the engine's thread, once, with what became of it; must not block. Waits for a plan
  // change that is under way. Does not block.
  void RenewWorkers(int device, std::function<void(absl::Status)> done);
  // The device is in error, as a worker of another engine says: all workers that use it are ended,
  // and started anew. Does not block.
  void DeviceFaulted(int device);
  void SetThresholds(const std::vector<std::pair<int, float>>& thresholds);
  // Waits until no request is inside, at most until `deadline`; false when some are left.
  bool WaitUntilIdle(TimePoint deadline);
  // Fails what is inside, stops the workers and waits for their end.
  void Stop();
  // Called on the engine's thread whenever ready() or its reason may have changed; must not block.
  void OnReadyChange(std::function<void(bool ready)> callback);
  // Called on the engine's thread when one of its own workers says that the device is in error;
  // must not block.
  void OnDeviceFault(std::function<void(int device)> callback);
  // Called on the engine's thread, with the worker's reason, when a worker says that it cannot
  // serve its stages as they are configured, before the cascade was ready for the first time. It is
  // tried again all the same; must not block.
  void OnUnservable(std::function<void(std::string reason)> callback);

  const CascadeSpec& cascade() const;
  const std::vector<Device>& devices() const { return options_.devices; }

 private:
  Engine(const CascadeSpec& cascade, const EngineOptions& options, const SlabLayout& layout,
         Slab slab, Slab probes, ModelFiles models, std::shared_ptr<Mailbox> mailbox);

  const CascadeSpec cascade_;
  const EngineOptions options_;
  const SlabLayout layout_;
  const Slab slab_;
  const Slab probes_;  // rows that workers are checked with before they are ready
  const std::unique_ptr<ModelFiles> models_;  // the loop's
  const std::unique_ptr<SlotPool> slots_;
  const std::unique_ptr<ArrivalMeter> arrivals_;
  const std::shared_ptr<Mailbox> mailbox_;
  std::unique_ptr<EngineLoop> loop_;
  // Goes before the loop: what waits in it still reads answers there.
  const std::unique_ptr<Completer> completer_;
  std::thread thread_;  // runs loop_
};

}  // namespace escan
