#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/answer_records.h"
#include "engine/check_review.h"
#include "engine/completer.h"
#include "engine/engine.h"
#include "engine/mailbox.h"
#include "engine/model_files.h"
#include "engine/pause_detector.h"
#include "engine/plan_changer.h"
#include "engine/poller.h"
#include "engine/readiness.h"
#include "engine/slot_pool.h"
#include "engine/worker_links.h"
#include "engine/worker_starts.h"

namespace escan {

// The engine's thread: waits for requests, frames and ends of processes, tells scheduler and fleet,
// and carries out what these decide. All members are used by that thread only, unless they say
// otherwise. Owned by Engine.
class EngineLoop : private SchedulerActions, private FleetActions {
 public:
  // What the loop shares with the threads around it; all of it outlives the loop.
  struct Environment {
    const CascadeSpec* cascade = nullptr;
    const EngineOptions* options = nullptr;
    const SlabLayout* layout = nullptr;
    const Slab* slab = nullptr;
    const Slab* probes = nullptr;
    ModelFiles* models = nullptr;  // nobody else's meanwhile
    SlotPool* slots = nullptr;
    std::shared_ptr<Mailbox> mailbox;
    Completer* completer = nullptr;
  };

  static absl::StatusOr<std::unique_ptr<EngineLoop>> Create(const Environment& environment,
                                                            const Plan& plan);

  // Returns after Stop() once every worker has ended.
  void Run();

  // As of Stop(). To be read by whom the mailbox has refused.
  const EngineStatus& last_status() const { return last_status_; }                   // any thread
  const Readiness& readiness() const { return readiness_; }                          // any thread
  const SampleAnswer& answer(SlotId slot) const { return scheduler_.answer(slot); }  // see Engine

  // --- through Mailbox calls
  EngineStatus Status() const;
  void SetPlan(const Plan& plan, PlanChanger::PlanChanged done);
  void RenewWorkers(int device, PlanChanger::Renewed done);
  void DeviceFaulted(int device);
  void SetThreshold(int stage, float threshold);
  void OnReadyChange(std::function<void(bool)> callback);
  void OnDeviceFault(std::function<void(int)> callback);
  void OnUnservable(std::function<void(std::string)> callback);
  void Stop();

 private:
  struct UnsentBatch {
    WorkerId worker;
    uint64_t sequence;
    bool ending;  // the worker is; else it does not read
  };

  EngineLoop(const Environment& environment, const Plan& plan, std::unique_ptr<Poller> poller);

  // SchedulerActions
  void Dispatch(const Batch& batch) override;
  void Complete(const RequestKey& key, const Outcome& outcome) override;
  void Settled(const RequestKey& key) override;
  void Compared(const Comparison& comparison) override;
  // FleetActions
  void StartWorker(WorkerId worker, uint32_t incarnation, const WorkerGroup& role) override;
  void DrainWorker(WorkerId worker) override;
  void StopWorker(WorkerId worker) override;
  void KillWorker(WorkerId worker) override;

  void TakeMail(TimePoint now);
  TimePoint Decide(TimePoint now);
  void WaitAndHandle(TimePoint next);
  TimePoint NextCheck() const;
  void CheckWorkers(TimePoint now);
  // `end`: what is to be believed of the rows that it holds.
  void Distrust(WorkerId worker, WorkerLink& link, const std::string& reason, TimePoint now,
                WorkerEnd end = WorkerEnd::kSuspect);
  void ReplaceWrongWorkers(TimePoint now);
  bool TellDrained(TimePoint now);
  void PublishReady();

  void HandleEvent(const Poller::Event& event, TimePoint now);
  void ReadFrames(WorkerId worker, WorkerLink& link, TimePoint now);
  void HandleResult(WorkerId worker, WorkerLink& link, const ResultFrame& frame, TimePoint now);
  void HandleState(WorkerId worker, WorkerLink& link, const StateFrame& frame, TimePoint now);
  void HandleCheck(WorkerId worker, WorkerLink& link, const CheckFrame& frame);
  bool FailsAgain(WorkerId worker, const std::string& reason) const;
  void HandleEnd(WorkerId worker, TimePoint now);
  void HandleReady(WorkerId worker, const WorkerLink& link);
  void ReviewChecks(const WorkerLink& link);
  void Verified(WorkerId worker, uint32_t incarnation, const absl::Status& status);
  bool ExpelFrom(int device, TimePoint now);

  Environment environment_;
  std::unique_ptr<Poller> poller_;
  Scheduler scheduler_;
  Fleet fleet_;
  PlanChanger changer_;
  WorkerLinks links_;
  WorkerStarts starts_;
  CheckReview check_review_;
  AnswerRecords answer_records_;
  std::vector<WorkerId> wrong_workers_;  // to be replaced
  std::vector<UnsentBatch> unsent_;
  PauseDetector pause_detector_{Clock::now()};
  // Nobody is condemned for being late before this: the daemon itself was not running.
  TimePoint patient_until_{};
  std::vector<Completion*> completions_;  // by first slot
  std::vector<Completer::Finished> finished_;
  Mailbox::Contents mail_;
  BatchFrame batch_frame_;
  std::function<void(bool)> on_ready_change_;
  std::function<void(int)> on_device_fault_;
  std::function<void(std::string)> on_unservable_;
  Readiness readiness_;
  bool was_ready_ = false;
  // Of workers that have no process now: what the last one found before it ended.
  std::map<WorkerId, std::vector<BucketCheck>> last_checks_;
  uint64_t worker_restarts_ = 0;
  bool stopping_ = false;
  EngineStatus last_status_;
};

}  // namespace escan
