#pragma once

#include <sys/types.h>

#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "contracts/plan.h"
#include "supervision/preparations.h"
#include "supervision/worker_process.h"

namespace escan {

// How worker processes run on the devices of this machine: what is executed for one, how one is
// ended, and whether it runs as planned. Shared by the engines of all cascades: thread-safe, and no
// call blocks. `role` names the device.
class WorkerHost {
 public:
  virtual ~WorkerHost() = default;

  // What to execute for a worker of `role`. Unavailable, with the reason, when none can run at
  // present: it is asked again later.
  virtual absl::StatusOr<WorkerCommand> CommandFor(const WorkerGroup& role) = 0;

  // A fatal fault of one worker on the device is one of all (clients of MPS).
  virtual bool SharesFaults(const WorkerGroup& role) const {
    (void)role;
    return false;
  }

  // Of the workers of all engines.
  Preparations& preparations() { return preparations_; }

  // Ends the process, at once or after what its device needs first. The caller sees the end through
  // the process's pidfd, and may destroy `process` right away.
  virtual void Kill(const WorkerProcess& process, const WorkerGroup& role) = 0;

  // Says whether a process that became ready has the share of its device that was planned.
  // `multiprocessors` is what it reports to see of a GPU. Calls `done` exactly once, on any thread,
  // perhaps before it returns.
  using Verified = std::function<void(absl::Status)>;
  virtual void Verify(const WorkerProcess& process, const WorkerGroup& role, int multiprocessors,
                      Verified done) = 0;

 private:
  Preparations preparations_;
};

// Processes that need nothing but to be executed, as on the CPU.
class PlainWorkerHost : public WorkerHost {
 public:
  explicit PlainWorkerHost(WorkerCommand command) : command_(std::move(command)) {}

  absl::StatusOr<WorkerCommand> CommandFor(const WorkerGroup&) override { return command_; }
  void Kill(const WorkerProcess& process, const WorkerGroup&) override { process.Kill(); }
  void Verify(const WorkerProcess&, const WorkerGroup&, int, Verified done) override {
    done(absl::OkStatus());
  }

 private:
  const WorkerCommand command_;
};

}  // namespace escan
