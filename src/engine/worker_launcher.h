#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "contracts/plan.h"
#include "engine/engine_options.h"
#include "engine/model_files.h"
#include "escan/cascade.h"
#include "escan/ids.h"
#include "ipc/slab.h"
#include "supervision/cpu_share.h"
#include "supervision/oom_kill_counter.h"
#include "supervision/worker_process.h"

namespace escan {

// A worker process that is to be started.
struct WorkerOrder {
  WorkerId worker = -1;
  uint32_t incarnation = 0;
  WorkerGroup role;
  CpuShare share;
  // On a CPU: it prepares its stages at low priority, because others serve meanwhile.
  bool yields = false;
  std::vector<int> prepare_cpus;  // where it does so; empty: on those of its share
};

// One that was started.
struct LaunchedWorker {
  WorkerProcess process;
  OomKillCounter oom_kills;  // since before its start
};

// Makes the worker processes of one engine: looks at the models' files, writes what the worker is
// told, and executes its program. Used by one thread at a time, which may have to wait.
class WorkerLauncher {
 public:
  // All of it outlives this.
  WorkerLauncher(const CascadeSpec& cascade, const SlabLayout& layout, const Slab& slab,
                 const Slab& probes, ModelFiles* models, const EngineOptions& options)
      : cascade_(cascade),
        layout_(layout),
        slab_(slab),
        probes_(probes),
        models_(*models),
        options_(options) {}

  // Errors are those of WorkerHost::CommandFor and WorkerProcess::Spawn.
  absl::StatusOr<LaunchedWorker> Launch(const WorkerOrder& order);

 private:
  WorkerSpec SpecFor(const WorkerOrder& order) const;

  const CascadeSpec& cascade_;
  const SlabLayout& layout_;
  const Slab& slab_;
  const Slab& probes_;
  ModelFiles& models_;
  const EngineOptions& options_;
};

}  // namespace escan
