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
#include "escan/device.h"
#include "escan/mutex.h"
#include "gpu/mps_service.h"
#include "gpu/mps_share.h"
#include "gpu/mps_times.h"
#include "ipc/unique_fd.h"
#include "workers/worker_host.h"

namespace escan {

// For people and metrics.
struct MpsStatus {
  MpsConfig::Mode mode = MpsConfig::Mode::kOff;  // kOff too where there is no GPU
  bool running = false;                          // workers can join
  std::string reason;                            // why not
  std::vector<pid_t> servers;                    // as last listed
  int restarts = 0;                              // how often the control daemon came back
};

// Runs workers on the CPU and, as clients of MPS, on GPUs. All that has to do with MPS happens on a
// thread of its own; a control program that hangs holds that thread for MpsTimes::command, and the
// next kills do not wait for it. Destroy it after those who use it: workers that are still to be
// ended are, and verifications are answered Cancelled.
class MpsWorkerHost : public WorkerHost {
 public:
  struct Options {
    std::vector<Device> devices;  // as plans count them
    MpsConfig mps;                // kManaged: with a directory whose parent exists
    WorkerCommand cpu_command;
    WorkerCommand gpu_command;
    std::filesystem::path control_program = "nvidia-cuda-mps-control";
    MpsTimes times;
  };

  // With a GPU among the devices, brings MPS up or joins it, which takes a moment. An error is for
  // people: it says what was tried and what else can be configured.
  static absl::StatusOr<std::unique_ptr<MpsWorkerHost>> Start(Options options);
  ~MpsWorkerHost() override;

  absl::StatusOr<WorkerCommand> CommandFor(const WorkerGroup& role) override;
  bool SharesFaults(const WorkerGroup& role) const override { return UsesMps(role); }
  // A client of MPS that dies with work on the GPU can hang the others, so the daemon is told to
  // end that work first. Without an answer within MpsTimes::command the process is killed anyway.
  void Kill(const WorkerProcess& process, const WorkerGroup& role) override;
  // FailedPrecondition when the worker does not have its share, Unavailable when nobody can tell,
  // ResourceExhausted when far too many are being verified.
  void Verify(const WorkerProcess& process, const WorkerGroup& role, int multiprocessors,
              Verified done) override;

  MpsStatus Status() const;

  // `callback` is called, on the host's thread, when a control daemon answers after one was down:
  // the workers belong to servers that nobody controls any more and have to be replaced. Null:
  // nobody is told; no call is running once this has returned, so the callback must not call it.
  void OnRestart(std::function<void()> callback);
  // For when no worker from before the restart is left. Does not wait.
  void EndStaleServers();

 private:
  struct Ending {
    pid_t pid = 0;
    UniqueFd pidfd;
  };
  struct Verification {
    pid_t pid = 0;
    MpsShare share;
    int seen = 0;
    Verified done;
    TimePoint due = TimePoint::min();
    TimePoint deadline = TimePoint::max();
  };

  MpsWorkerHost(Options options, std::unique_ptr<MpsService> service, UniqueFd wake_fd);

  const Device& DeviceOf(const WorkerGroup& role) const;
  bool UsesMps(const WorkerGroup& role) const;

  // On the thread.
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
  const std::unique_ptr<MpsService> service_;  // null: nothing uses MPS. The thread's own
  const UniqueFd wake_fd_;                     // eventfd
  bool workers_are_listed_ = false;            // one was, so all are. The thread's own

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
