#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/answer_records.h"
#include "engine/completer.h"
#include "engine/engine_options.h"
#include "engine/engine_status.h"
#include "engine/exit_audits.h"
#include "engine/mailbox.h"
#include "engine/model_files.h"
#include "engine/pause_detector.h"
#include "engine/plan_changer.h"
#include "engine/poller.h"
#include "engine/readiness.h"
#include "engine/side_thread.h"
#include "engine/slot_pool.h"
#include "engine/status_board.h"
#include "engine/worker_checks.h"
#include "engine/worker_launcher.h"
#include "engine/worker_links.h"
#include "engine/worker_starts.h"
#include "engine/worker_supervisor.h"

namespace escan {

// The body of the engine's thread. It waits for requests, for frames from workers and for the ends
// of their processes. It has these reported to the scheduler and the fleet, and carries out what
// they decide. It waits for nothing else: what takes time is done on its side thread.
// docs/follow_a_request.md shows the order of calls.
//
// Owned by Engine. Only the engine's thread uses its members, unless a comment says otherwise.
class EngineLoop : private SchedulerActions, private FleetActions {
 public:
  // What the loop uses of its Engine. All of it must outlive the loop.
  struct Environment {
    const CascadeSpec* cascade = nullptr;
    const EngineOptions* options = nullptr;
    const SlabLayout* layout = nullptr;
    const Slab* slab = nullptr;
    const Slab* probes = nullptr;
    ModelFiles* models = nullptr;  // used by the loop only
    SlotPool* slots = nullptr;
    std::shared_ptr<Mailbox> mailbox;
    Completer* completer = nullptr;
  };

  static absl::StatusOr<std::unique_ptr<EngineLoop>> Create(const Environment& environment,
                                                            const Plan& plan);

  // Runs until Stop() was called and every worker has ended.
  void Run();

  // --- any thread
  // That of Stop() is the last one.
  const StatusBoard& status() const { return status_; }
  const Readiness& readiness() const { return readiness_; }
  // Of a row of a request that is complete and not released.
  const SampleAnswer& answer(SlotId slot) const { return scheduler_.answer(slot); }

  // --- on the engine's thread; other threads post these calls to the mailbox. See Engine for the
  // contract of each.
  // Has `then` called, on this thread, once the status is published that shows what was done
  // before.
  void AfterPublication(std::function<void()> then);
  void SetPlan(const Plan& plan, PlanChanger::PlanChanged done);
  void RenewWorkers(int device, PlanChanger::Renewed done);
  void DeviceFaulted(int device);
  void SetThreshold(int stage, float threshold);
  void OnReadyChange(std::function<void(bool)> callback);
  void OnDeviceFault(std::function<void(int)> callback);
  void OnUnservable(std::function<void(std::string)> callback);
  void Stop();

 private:
  // A batch that could not be sent to its worker.
  struct UnsentBatch {
    WorkerId worker;
    uint64_t sequence;
    bool ending;  // true: the worker has closed its socket; false: it does not read it
  };

  EngineLoop(const Environment& environment, const Plan& plan, std::unique_ptr<Poller> poller,
             std::unique_ptr<SideThread> side);

  // --- SchedulerActions
  void Dispatch(const Batch& batch) override;
  void Complete(const RequestKey& key, const Outcome& outcome) override;
  void Settled(const RequestKey& key) override;
  void Compared(const Comparison& comparison) override;
  void Audited(const AuditedSample& sample) override;
  void Drifted(int stage, const DriftStatus& drift) override;
  void BrownedOut(int level) override;
  // --- FleetActions
  void StartWorker(WorkerId worker, uint32_t incarnation, const WorkerGroup& role) override;
  void DrainWorker(WorkerId worker) override;
  void StopWorker(WorkerId worker) override;
  void KillWorker(WorkerId worker) override;

  EngineStatus Status() const;  // but for the traffic

  // --- one round of Run(), in this order
  void TakeMail(TimePoint now);
  // Lets scheduler and fleet decide. Returns when they next have something to do.
  TimePoint Decide(TimePoint now);
  // Waits until `next` at most, handles what happened, then looks for workers that are late.
  void WaitAndHandle(TimePoint next);

  void ReplaceWrongWorkers(TimePoint now);
  // Tells the fleet which draining workers hold no batch any more. Returns whether there were any.
  bool TellDrained(TimePoint now);
  void PublishReady();
  // Where it is due; returns when it will be next.
  TimePoint PublishStatus(TimePoint now);
  void Publish(TimePoint now);

  void HandleEvent(const Poller::Event& event, TimePoint now);

  Environment environment_;
  std::unique_ptr<Poller> poller_;
  Scheduler scheduler_;
  Fleet fleet_;
  PlanChanger changer_;
  WorkerLauncher launcher_;
  WorkerLinks links_;
  WorkerChecks checks_;
  AnswerRecords answer_records_;
  ExitAudits audits_;
  WorkerStarts starts_;
  WorkerSupervisor supervisor_;
  std::vector<WorkerId> wrong_workers_;  // to be replaced
  std::vector<UnsentBatch> unsent_;
  PauseDetector pause_detector_{Clock::now()};
  // Until then no worker is ended for being late, because this process itself was not running.
  TimePoint patient_until_{};
  std::vector<Completion*> completions_;  // of the requests inside, by first slot
  std::vector<Completer::Finished> finished_;
  Mailbox::Contents mail_;
  BatchFrame batch_frame_;
  std::function<void(bool)> on_ready_change_;
  Readiness readiness_;
  bool was_ready_ = false;  // the cascade was ready once
  StatusBoard status_;
  std::vector<std::function<void()>> after_publication_;
  bool stopping_ = false;
  TimePoint give_up_at_ = TimePoint::max();  // when the end waits for no worker any more
  std::unique_ptr<SideThread> side_;         // its tasks use what is above
};

}  // namespace escan
