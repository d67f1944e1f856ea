#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "contracts/plan.h"
#include "engine/engine.h"
#include "engine/worker_links.h"
#include "escan/ids.h"
#include "supervision/cpu_share.h"
#include "supervision/fleet.h"

namespace escan {

// Starts worker processes. A start waits while the workers of its device are being ended because
// the device is in error: MPS takes no new client there before all old ones are gone. Every other
// start is made at once. Owned by EngineLoop and used on its thread.
class WorkerStarts {
 public:
  // A start that did not lead to a process.
  struct Failed {
    WorkerId worker;
    uint32_t incarnation;
    std::string reason;
  };

  // All arguments must outlive this object. `fleet` says which of the workers in `links` stay: the
  // CPUs of the others count as free.
  WorkerStarts(const EngineOptions& options, const Fleet& fleet, WorkerLinks* links)
      : options_(options), fleet_(fleet), links_(*links) {}

  void Start(WorkerId worker, uint32_t incarnation, const WorkerGroup& role);
  // Makes the starts that waited for a device that is free now. Call it after a link was removed.
  void Release();
  // Makes the worker's start fail if it is waiting; does nothing otherwise.
  void GiveUp(WorkerId worker);

  // Starts that failed since the last TakeFailed().
  bool any_failed() const { return !failed_.empty(); }
  std::vector<Failed> TakeFailed();

 private:
  // A start that waits for its device.
  struct Held {
    WorkerId worker;
    uint32_t incarnation;
    WorkerGroup role;
  };

  // CPUs for a worker of this role: the least used ones.
  CpuShare FreeShare(const WorkerGroup& role) const;

  const EngineOptions& options_;
  const Fleet& fleet_;
  WorkerLinks& links_;
  std::vector<Held> held_;
  std::vector<Failed> failed_;
};

}  // namespace escan
