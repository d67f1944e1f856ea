#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/worker_links.h"
#include "escan/ids.h"
#include "escan/plan.h"
#include "workers/cpu_share.h"
#include "workers/fleet.h"

namespace escan {

// Starts the processes of workers: at once, or when their device is rid of workers that failed,
// because MPS takes no new clients on a device that is in error before all old ones have gone.
// Owned by EngineLoop, on its thread.
class WorkerStarts {
 public:
  struct Failed {
    WorkerId worker;
    uint32_t incarnation;
    std::string reason;
  };

  // All outlive this. `fleet` says which of the workers in `links` stay.
  WorkerStarts(const EngineOptions& options, const Fleet& fleet, WorkerLinks* links)
      : options_(options), fleet_(fleet), links_(*links) {}

  void Start(WorkerId worker, uint32_t incarnation, const WorkerGroup& role);
  // To be called when a worker's link was removed: devices may have become free.
  void Release();
  // A start that is held fails; no matter where there is none.
  void GiveUp(WorkerId worker);

  // What failed since TakeFailed().
  bool any_failed() const { return !failed_.empty(); }
  std::vector<Failed> TakeFailed();

 private:
  struct Held {
    WorkerId worker;
    uint32_t incarnation;
    WorkerGroup role;
  };

  CpuShare FreeShare(const WorkerGroup& role) const;

  const EngineOptions& options_;
  const Fleet& fleet_;
  WorkerLinks& links_;
  std::vector<Held> held_;
  std::vector<Failed> failed_;
};

}  // namespace escan
