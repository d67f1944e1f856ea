#include "stage_worker/inheritance.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "ipc/unique_fd.h"

namespace escan {
namespace {

bool IsFrameSocket(int fd) {
  int type = 0;
  socklen_t size = sizeof(type);
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

}  // namespace

absl::StatusOr<Inheritance> TakeInheritance() {
  if (!IsFrameSocket(kWorkerSocketFd)) {
    return absl::UnavailableError("there is no socket to a daemon");
  }
  for (const int fd : {kWorkerSocketFd, kWorkerSlabFd, kWorkerSpecFd, kWorkerProbesFd}) {
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
      return absl::UnavailableError("a descriptor that a daemon hands over is missing");
    }
  }
  FrameSocket socket{UniqueFd(kWorkerSocketFd)};
  UniqueFd slab_fd(kWorkerSlabFd);
  const UniqueFd spec_fd(kWorkerSpecFd);
  absl::StatusOr<WorkerSpec> spec = ReadWorkerSpec(spec_fd.get());
  if (!spec.ok()) return spec.status();
  absl::StatusOr<Slab> slab = Slab::Map(std::move(slab_fd), spec->slots, spec->stride);
  if (!slab.ok()) return slab.status();
  Inheritance given{std::move(socket), *std::move(spec), *std::move(slab), std::nullopt};
  UniqueFd probes_fd(kWorkerProbesFd);
  if (given.spec.probes == 0) return given;
  absl::StatusOr<Slab> probes =
      Slab::Map(std::move(probes_fd), given.spec.probes, given.spec.stride);
  if (!probes.ok()) return probes.status();
  given.probes = *std::move(probes);
  return given;
}

}  // namespace escan
