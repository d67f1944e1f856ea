#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engine/poller.h"
#include "engine/worker_launcher.h"
#include "engine/worker_link.h"
#include "escan/cascade.h"

namespace escan {

// The running worker processes of one engine, and their places in its poller. Used by the engine's
// thread only.
class WorkerLinks {
 public:
  // All of it outlives this.
  WorkerLinks(const CascadeSpec& cascade, WorkerHost* host, Poller* poller)
      : cascade_(cascade), host_(host), poller_(poller) {}

  // Watches the socket and the end of a process of a worker that had none. When that cannot be done
  // `launched` still has the process.
  absl::Status Add(const WorkerOrder& order, LaunchedWorker& launched);
  // nullptr when the worker has no process.
  WorkerLink* Find(WorkerId worker) const;
  // The worker has said that it is ready.
  bool Serves(WorkerId worker) const;
  const std::map<WorkerId, std::unique_ptr<WorkerLink>>& all() const { return links_; }

  // Ends a process that cannot be trusted any more, and reads nothing of it from now on.
  void Condemn(WorkerLink& link, std::string reason, WorkerEnd end);
  // The process closed its socket: it is ending, or is condemned after a while.
  void SocketClosed(WorkerLink& link, TimePoint now);
  // Asks all that use `device` to end because it is in error; those that were not asked before.
  std::vector<WorkerId> Expel(int device, TimePoint now);
  // Some that were asked so have not ended yet.
  bool Expelling(int device) const;
  // The process has ended: it is watched no more.
  void Ended(WorkerLink& link, const ProcessExit& exit);
  // Forgets a process that has ended.
  void Remove(WorkerId worker);

 private:
  void StopReading(WorkerLink& link);

  const CascadeSpec& cascade_;
  WorkerHost* const host_;
  Poller* const poller_;
  std::map<WorkerId, std::unique_ptr<WorkerLink>> links_;
};

}  // namespace escan
