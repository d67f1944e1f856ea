#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/config.h"
#include "contracts/device.h"
#include "contracts/mutex.h"
#include "ipc/unique_fd.h"
#include "mps/mps_service.h"
#include "mps/mps_share.h"
#include "mps/mps_times.h"
#include "supervision/worker_host.h"

namespace escan {

// What operators and metrics see of MPS.
struct MpsStatus {
  MpsConfig::Mode mode = MpsConfig::Mode::kOff;  // also kOff where there is no GPU
  bool running = false;                          // new workers can join
  std::string reason;                            // why they cannot, if running is false
  std::vector<pid_t> servers;                    // MPS servers, as last listed
  int restarts = 0;                              // times that the control daemon came back
};

// Runs workers on the CPU and, as clients of MPS, on GPUs.
//
// All work with MPS happens on one thread, which this object owns. Where the control program hangs,
// a command takes that thread MpsTimes::command. After such a time-out kills no longer ask MPS
// first, so they do not wait.
//
// Destroy it after its users. The destructor ends all processes that Kill() was called for, and
// answers open verifications with Cancelled.
class MpsWorkerHost : public WorkerHost {
 public:
  struct Options {
    std::vector<Device> devices;  // a plan's `device` is an index into this
    MpsConfig mps;                // for kManaged the directory is set, and its parent exists
    WorkerCommand cpu_command;
    WorkerCommand gpu_command;
    std::filesystem::path control_program = "nvidia-cuda-mps-control";
    MpsTimes times;
  };

  // Where a device is a GPU, starts MPS or joins it, and blocks until it answers. The error is
  // written for operators: it says what was tried and what else can be configured.
  static absl::StatusOr<std::unique_ptr<MpsWorkerHost>> Start(Options options);
  ~MpsWorkerHost() override;

  absl::StatusOr<WorkerCommand> CommandFor(const WorkerGroup& role) override;
  bool SharesFaults(const WorkerGroup& role) const override { return UsesMps(role); }
  // Does not block. For a client of MPS the thread first asks MPS to terminate it, because a client
  // that dies with work on the GPU can hang the others. Then it sends SIGKILL, whether MPS has
  // answered in time or not.
  void Kill(const WorkerProcess& process, const WorkerGroup& role) override;
  // `done` gets FailedPrecondition if the worker does not have its share, Unavailable if MPS cannot
  // be asked, and ResourceExhausted if too many verifications are waiting.
  void Verify(const WorkerProcess& process, const WorkerGroup& role, int multiprocessors,
              Verified done) override;

  MpsStatus Status() const;

  // Sets whom to call, on this object's thread, when a control daemon answers after one was down.
  // The present workers then belong to servers that nobody controls any more, and have to be
  // replaced. Null removes the callback. When this returns no former callback is running, so a
  // callback must not call this.
  void OnRestart(std::function<void()> callback);
  // Ends the servers of control daemons that are gone. Call it when no worker from before the
  // restart is left. Does not block.
  void EndStaleServers();

 private:
  // A process to be ended.
  struct Ending {
    pid_t pid = 0;
    UniqueFd pidfd;
  };
  // A worker whose share is to be verified.
  struct Verification {
    pid_t pid = 0;
    MpsShare share;  // that it should have
    int seen = 0;    // multiprocessors that it reports
    Verified done;
    TimePoint due = TimePoint::min();       // of the next look
    TimePoint deadline = TimePoint::max();  // of the last look; set at the first
  };

  MpsWorkerHost(Options options, std::unique_ptr<MpsService> service, UniqueFd wake_fd);

  const Device& DeviceOf(const WorkerGroup& role) const;
  bool UsesMps(const WorkerGroup& role) const;

  // --- on the thread
  void Run();
  bool TakeEnding(Ending* ending) ESCAN_EXCLUDES(mutex_);
  bool TakeDue(TimePoint now, Verification* verification) ESCAN_EXCLUDES(mutex_);
  void End(const Ending& ending);
  void Check(Verification verification);
  absl::Status FindClient(const Verification& verification);
  void Publish() ESCAN_EXCLUDES(mutex_);
  void Announce() ESCAN_EXCLUDES(callback_mutex_);
  void Sleep() ESCAN_EXCLUDES(mutex_);
  void CancelAll() ESCAN_EXCLUDES(mutex_);
  void Wake() const;

  const Options options_;
  const std::unique_ptr<MpsService> service_;  // used by the thread; null if nothing uses MPS
  const UniqueFd wake_fd_;                     // eventfd that wakes the thread
  // Used by the thread: MPS has listed one of our workers by its pid, so it lists all of them.
  bool workers_are_listed_ = false;

  mutable Mutex mutex_;
  std::deque<Ending> endings_ ESCAN_GUARDED_BY(mutex_);
  std::deque<Verification> verifications_ ESCAN_GUARDED_BY(mutex_);
  bool end_stale_ ESCAN_GUARDED_BY(mutex_) = false;
  bool stopping_ ESCAN_GUARDED_BY(mutex_) = false;
  MpsStatus status_ ESCAN_GUARDED_BY(mutex_);

  Mutex callback_mutex_;
  std::function<void()> on_restart_ ESCAN_GUARDED_BY(callback_mutex_);

  std::thread thread_;
};

}  // namespace escan
