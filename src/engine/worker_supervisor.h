#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engine/answer_records.h"
#include "engine/engine_options.h"
#include "engine/mailbox.h"
#include "engine/side_thread.h"
#include "engine/worker_checks.h"
#include "engine/worker_links.h"
#include "engine/worker_starts.h"
#include "escan/cascade.h"
#include "ipc/frames.h"
#include "scheduling/scheduler.h"
#include "supervision/fleet.h"

namespace escan {

// Reads what workers say, sees that they are late or have ended, and tells scheduler and fleet what
// follows. A worker that cannot be trusted any more gets no batch and is killed.
//
// Owned by EngineLoop and used on its thread. No call waits: of a worker that says much only so
// many frames are read at a time, so the others and its own deadlines come to their turn.
class WorkerSupervisor {
 public:
  // All of it outlives this.
  struct Parts {
    const CascadeSpec* cascade;
    const EngineOptions* options;
    std::shared_ptr<Mailbox> mailbox;
    SideThread* side;
    Scheduler* scheduler;
    Fleet* fleet;
    WorkerLinks* links;
    WorkerStarts* starts;
    WorkerChecks* checks;
    AnswerRecords* records;
  };
  explicit WorkerSupervisor(const Parts& parts) : parts_(parts) {}

  static constexpr int kFramesAtATime = 64;

  // The worker's socket is readable.
  void HandleReadable(WorkerId worker, TimePoint now);
  // Its process has ended.
  void HandleEnd(WorkerId worker, TimePoint now);

  // When a worker will next be late.
  TimePoint NextCheck() const;
  // Ends those that were late at `before`. Call it when all that could be read by then was.
  void CheckWorkers(TimePoint before);

  // Ends a worker that is not trusted any more: it gets no batch from now on, and its process is
  // killed. `end` says whether the rows that it holds are suspects.
  void Distrust(WorkerId worker, WorkerLink& link, const std::string& reason, TimePoint now,
                WorkerEnd end = WorkerEnd::kSuspect);
  // Ends all workers of a device that is in error. Returns false if there were none to end.
  bool ExpelFrom(int device, TimePoint now);

  uint64_t restarts() const { return restarts_; }
  // Called when a worker that was ready says that its device is in error.
  void OnDeviceFault(std::function<void(int device)> callback);
  // Called with the reason when a worker says that it can never serve its stages.
  void OnUnservable(std::function<void(std::string reason)> callback);

 private:
  // At most so many.
  void ReadFrames(WorkerId worker, WorkerLink& link, int most, TimePoint now);
  void HandleFrame(WorkerId worker, WorkerLink& link, const FrameSocket::Frame& frame,
                   TimePoint now);
  void HandleResult(WorkerId worker, WorkerLink& link, const ResultFrame& frame, TimePoint now);
  void HandleState(WorkerId worker, WorkerLink& link, const StateFrame& frame, TimePoint now);
  void LogState(WorkerId worker, const WorkerLink& link, const StateFrame& frame) const;
  // It has prepared its stages. Asks the host to verify its share; Verified() follows.
  void HandleReady(WorkerId worker, const WorkerLink& link);
  void Verified(WorkerId worker, uint32_t incarnation, const absl::Status& status);
  // Whether the worker's last start failed for the same reason.
  bool FailsAgain(WorkerId worker, const std::string& reason) const;
  // When it has had a batch for too long. Workers that prepare their stages on the same device, of
  // any cascade, may hold up the others for a while.
  TimePoint HangDeadline(WorkerId worker, const WorkerLink& link) const;
  // It is known who is to blame for the end.
  void Bury(WorkerId worker, uint32_t incarnation, bool killed_from_outside);

  const Parts parts_;
  std::function<void(int)> on_device_fault_;
  std::function<void(std::string)> on_unservable_;
  uint64_t restarts_ = 0;
};

}  // namespace escan
