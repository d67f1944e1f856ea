#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engine/engine.h"
#include "engine/model_files.h"
#include "engine/poller.h"
#include "engine/worker_link.h"
#include "ipc/slab.h"

namespace escan {

// The running worker processes of one engine, and their places in its poller. Used by the engine's
// thread only.
class WorkerLinks {
 public:
  // All of it outlives this.
  WorkerLinks(const CascadeSpec& cascade, const SlabLayout& layout, const Slab& slab,
              const Slab& probes, ModelFiles* models, const EngineOptions& options, Poller* poller);

  // Starts a process for `worker`, which has none, and watches its socket and its end.
  absl::Status Start(WorkerId worker, uint32_t incarnation, const WorkerGroup& role,
                     const CpuShare& share);
  // nullptr when the worker has no process.
  WorkerLink* Find(WorkerId worker) const;
  const std::map<WorkerId, std::unique_ptr<WorkerLink>>& all() const { return links_; }

  // Ends a process that cannot be trusted any more, and reads nothing of it from now on.
  void Condemn(WorkerLink& link, std::string reason, WorkerEnd end);
  // The process closed its socket: it is ending, or is condemned after a while.
  void SocketClosed(WorkerLink& link, TimePoint now);
  // Asks all that use `device` to end because it is in error; those that were not asked before.
  std::vector<WorkerId> Expel(int device, TimePoint now);
  // Some that were asked so have not ended yet.
  bool Expelling(int device) const;
  // Forgets a process that has ended.
  void Remove(WorkerId worker);

 private:
  void StopReading(WorkerLink& link);

  const CascadeSpec& cascade_;
  const SlabLayout& layout_;
  const Slab& slab_;
  const Slab& probes_;
  ModelFiles& models_;
  const EngineOptions& options_;
  Poller* const poller_;
  std::map<WorkerId, std::unique_ptr<WorkerLink>> links_;
};

}  // namespace escan
