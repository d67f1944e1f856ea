#pragma once

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "config/config.h"
#include "profiling/profile_outline.h"
#include "server/daemon/local_workers.h"

namespace escan {

// What `escand --write-profile` measures and where to.
struct ProfileCommand {
  Config config;
  std::string model;  // empty: the only cascade
  std::filesystem::path file;
  ProfilingSite site;  // the configuration's first device
  WorkerPrograms programs;
  TorchOptions torch;
};

// Measures a cascade and writes its profile. What is measured is kept beside it, in FILE.partial,
// until the profile is complete, and found there by the next call. Tells on stderr how far it is.
// Blocks; a signal that can be read from `signal_fd` (a signalfd) ends it, and the workers:
// Cancelled. InvalidArgument is a mistake in the command. Unavailable when a daemon serves at the
// configuration's addresses: nothing is started then.
absl::Status WriteProfile(ProfileCommand command, int signal_fd);

}  // namespace escan
