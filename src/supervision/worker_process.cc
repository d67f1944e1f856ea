#include "supervision/worker_process.h"

#include <csignal>
#include <utility>
#include <vector>

namespace escan {
namespace {

// Gives the stages' model files the numbers that they have in the child; returns those they have
// here, in that order.
std::vector<int> RenumberModels(WorkerSpec* spec) {
  std::vector<int> models;
  for (std::vector<WorkerStage>* stages : {&spec->stages, &spec->feeders}) {
    for (WorkerStage& stage : *stages) {
      if (stage.model_fd < 0) continue;
      models.push_back(
          std::exchange(stage.model_fd, kWorkerFirstModelFd + static_cast<int>(models.size())));
    }
  }
  return models;
}

}  // namespace

absl::StatusOr<WorkerProcess> WorkerProcess::Spawn(const WorkerCommand& command,
                                                   const WorkerSpec& spec, const Slab& slab,
                                                   const Slab* probes, int output) {
  absl::StatusOr<std::pair<FrameSocket, UniqueFd>> sockets = FrameSocket::Pair();
  if (!sockets.ok()) return sockets.status();
  WorkerSpec childs_spec = spec;
  const std::vector<int> models = RenumberModels(&childs_spec);
  const absl::StatusOr<UniqueFd> spec_fd = WriteWorkerSpec(childs_spec);
  if (!spec_fd.ok()) return spec_fd.status();

  static_assert(kWorkerSocketFd == 3 && kWorkerSlabFd == 4 && kWorkerSpecFd == 5 &&
                kWorkerProbesFd == 6 && kWorkerFirstModelFd == 7);
  std::vector<std::optional<int>> descriptors = {std::nullopt,          output,    output,
                                                 sockets->second.get(), slab.fd(), spec_fd->get()};
  if (probes != nullptr) descriptors.emplace_back(probes->fd());
  if (!models.empty()) descriptors.resize(kWorkerFirstModelFd);
  descriptors.insert(descriptors.end(), models.begin(), models.end());
  absl::StatusOr<ChildProcess> process =
      ChildProcess::Spawn({.path = command.program,
                           .arguments = command.arguments,
                           .environment = command.environment,
                           .descriptors = std::move(descriptors)});
  if (!process.ok()) return process.status();
  return WorkerProcess(std::move(sockets->first), *std::move(process));
}

void WorkerProcess::Kill() const { process_.Signal(SIGKILL); }

}  // namespace escan
