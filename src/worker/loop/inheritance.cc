#include "worker/loop/inheritance.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "ipc/unique_fd.h"

namespace escan {
namespace {

bool IsFrameSocket(int fd) {
  int type = 0;
  socklen_t size = sizeof(type);
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

absl::Status CloseOnExec(int fd) {
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) return absl::OkStatus();
  return absl::UnavailableError("a descriptor that a daemon hands over is missing");
}

absl::StatusOr<std::vector<UniqueFd>> TakeModels(const WorkerSpec& spec) {
  std::vector<UniqueFd> models;
  for (const std::vector<WorkerStage>* stages : {&spec.stages, &spec.feeders}) {
    for (const WorkerStage& stage : *stages) {
      if (stage.model_fd < 0) continue;
      if (::fcntl(stage.model_fd, F_SETFD, FD_CLOEXEC) != 0) {
        return absl::UnavailableError("a model file that a daemon hands over is missing");
      }
      models.emplace_back(stage.model_fd);
    }
  }
  return models;
}

}  // namespace

absl::StatusOr<Inheritance> TakeInheritance() {
  if (!IsFrameSocket(kWorkerSocketFd)) {
    return absl::UnavailableError("there is no socket to a daemon");
  }
  for (const int fd : {kWorkerSocketFd, kWorkerSlabFd, kWorkerSpecFd}) {
    if (const absl::Status status = CloseOnExec(fd); !status.ok()) return status;
  }
  FrameSocket socket{UniqueFd(kWorkerSocketFd)};
  UniqueFd slab_fd(kWorkerSlabFd);
  const UniqueFd spec_fd(kWorkerSpecFd);
  absl::StatusOr<WorkerSpec> spec = ReadWorkerSpec(spec_fd.get());
  if (!spec.ok()) return spec.status();
  absl::StatusOr<Slab> slab = Slab::Map(std::move(slab_fd), spec->slots, spec->stride);
  if (!slab.ok()) return slab.status();
  absl::StatusOr<std::vector<UniqueFd>> models = TakeModels(*spec);
  if (!models.ok()) return models.status();
  Inheritance given{std::move(socket), *std::move(spec), *std::move(slab), *std::move(models),
                    std::nullopt};
  if (given.spec.probes == 0) return given;
  if (const absl::Status status = CloseOnExec(kWorkerProbesFd); !status.ok()) return status;
  absl::StatusOr<Slab> probes =
      Slab::Map(UniqueFd(kWorkerProbesFd), given.spec.probes, given.spec.stride);
  if (!probes.ok()) return probes.status();
  given.probes = *std::move(probes);
  return given;
}

}  // namespace escan
