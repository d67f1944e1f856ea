#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "contracts/plan.h"
#include "engine/engine_options.h"
#include "engine/side_thread.h"
#include "engine/worker_launcher.h"
#include "engine/worker_links.h"
#include "escan/ids.h"
#include "escan/time.h"
#include "supervision/cpu_share.h"
#include "supervision/fleet.h"

namespace escan {

// Has worker processes started, when their turn has come:
//
// - Not while the workers of a device are being ended because the device is in error: MPS takes no
//   new client there before all old ones are gone.
// - On a CPU, one that never served waits until the others have prepared their stages: one after
//   the other while some worker serves, else as many as there are CPUs for. Those that serve keep
//   their CPUs' time: the new one prepares at low priority, on CPUs that nobody has if there are.
//
// The processes are made on the side thread. Owned by EngineLoop and used on its thread.
class WorkerStarts {
 public:
  // A start that did not lead to a process.
  struct Failed {
    WorkerId worker;
    uint32_t incarnation;
    std::string reason;
  };

  // All of it outlives this.
  struct Parts {
    const EngineOptions* options;
    Fleet* fleet;  // says which workers in `links` stay: the CPUs of the others count as free
    WorkerLinks* links;
    WorkerLauncher* launcher;  // used by `side` only
    SideThread* side;
  };
  explicit WorkerStarts(const Parts& parts) : parts_(parts) {}

  void Start(WorkerId worker, uint32_t incarnation, const WorkerGroup& role);
  // Makes the starts whose turn has come. Call it when a worker became ready or a link was removed.
  void Release();
  // Makes the worker's start fail if it has no process yet; does nothing otherwise.
  void GiveUp(WorkerId worker);

  // Starts that failed since the last TakeFailed().
  bool any_failed() const { return !failed_.empty(); }
  std::vector<Failed> TakeFailed();

 private:
  // A process that is being made.
  struct Launching {
    WorkerOrder order;
    bool wanted = true;
  };
  using Launched = std::shared_ptr<absl::StatusOr<LaunchedWorker>>;

  bool MustWait(const WorkerOrder& order) const;
  void Launch(WorkerOrder order);
  void HandleLaunched(const WorkerOrder& order, const Launched& launched);
  // Adds the process to the links; else says why not.
  absl::Status Adopt(const WorkerOrder& order, bool wanted, const Launched& launched);
  bool on_cpu(const WorkerGroup& role) const;
  bool AnyServes() const;
  // Threads of the workers on a CPU that have a process and are not ready.
  int PreparingThreads() const;
  // CPUs for a worker of this role: the least used ones.
  CpuShare FreeShare(const WorkerGroup& role) const;
  std::vector<int> UnusedCpus() const;

  const Parts parts_;
  std::vector<WorkerOrder> held_;
  std::vector<Launching> launching_;
  std::vector<Failed> failed_;
};

}  // namespace escan
