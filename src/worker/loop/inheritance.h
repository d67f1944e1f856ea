#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "ipc/frame_socket.h"
#include "ipc/slab.h"
#include "ipc/worker_spec.h"

namespace escan {

// What the daemon hands to a worker process, at the descriptors that ipc/worker_spec.h names.
struct Inheritance {
  FrameSocket socket;
  WorkerSpec spec;
  Slab slab;
  std::vector<UniqueFd> models;  // what the spec's stages name
  std::optional<Slab> probes;    // where the spec has some
};

// Takes it over: the descriptors are the result's from now on and close on exec. Call once, early
// in main. Unavailable when they are not those of a daemon, as in a shell.
absl::StatusOr<Inheritance> TakeInheritance();

}  // namespace escan
