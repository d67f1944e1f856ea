#include "workers/worker_process.h"

#include <unistd.h>

#include <csignal>

namespace escan {

absl::StatusOr<WorkerProcess> WorkerProcess::Spawn(const WorkerCommand& command,
                                                   const WorkerSpec& spec, const Slab& slab,
                                                   const Slab* probes) {
  absl::StatusOr<std::pair<FrameSocket, UniqueFd>> sockets = FrameSocket::Pair();
  if (!sockets.ok()) return sockets.status();
  const absl::StatusOr<UniqueFd> spec_fd = WriteWorkerSpec(spec);
  if (!spec_fd.ok()) return spec_fd.status();

  static_assert(kWorkerSocketFd == 3 && kWorkerSlabFd == 4 && kWorkerSpecFd == 5 &&
                kWorkerProbesFd == 6);
  std::vector<std::optional<int>> descriptors = {
      std::nullopt, STDERR_FILENO, STDERR_FILENO, sockets->second.get(), slab.fd(), spec_fd->get()};
  descriptors.push_back(probes == nullptr ? std::nullopt : std::optional(probes->fd()));
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
