#include "engine/worker_launcher.h"

#include <utility>

#include "ipc/worker_spec.h"

namespace escan {

WorkerSpec WorkerLauncher::SpecFor(const WorkerOrder& order) const {
  return {
      .cascade = cascade_.name,
      .worker = order.worker,
      .incarnation = order.incarnation,
      .slots = layout_.slots,
      .stride = layout_.stride,
      .credits = order.role.credits,
      .threads = order.share.threads,
      .cpus = options_.pin_cpus ? order.share.cpus : std::vector<int>(),
      .yields = order.yields,
      .prepare_cpus = options_.pin_cpus ? order.prepare_cpus : std::vector<int>(),
      .gpu = options_.devices[static_cast<size_t>(order.role.device)].uuid,
      .cache = options_.cache,
      .probes = probes_.slots(),
      .stages = WorkerStagesOf(cascade_, layout_, order.role.stages),
      .feeders = WorkerStagesOf(cascade_, layout_, FeedersOf(cascade_, order.role.stages)),
  };
}

absl::StatusOr<LaunchedWorker> WorkerLauncher::Launch(const WorkerOrder& order) {
  const absl::StatusOr<WorkerCommand> command = options_.host->CommandFor(order.role);
  if (!command.ok()) return command.status();
  WorkerSpec spec = SpecFor(order);
  for (WorkerStage& stage : spec.feeders) models_.Complete(&stage);
  for (WorkerStage& stage : spec.stages) {
    models_.Complete(&stage);
    models_.WarnOfChange(stage);
  }
  OomKillCounter oom_kills(options_.vmstat);
  absl::StatusOr<WorkerProcess> process =
      WorkerProcess::Spawn(*command, spec, slab_, &probes_, options_.worker_output);
  if (!process.ok()) return process.status();
  return LaunchedWorker{.process = *std::move(process), .oom_kills = std::move(oom_kills)};
}

}  // namespace escan
