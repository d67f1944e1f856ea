#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "ipc/frame_socket.h"
#include "ipc/slab.h"
#include "ipc/worker_spec.h"
#include "supervision/child_process.h"

namespace escan {

// What is run as a worker: a program and its arguments, argv[0] excluded.
struct WorkerCommand {
  std::filesystem::path program;  // without a slash: looked for in PATH
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // "NAME=VALUE", in place of what the daemon has or added
};

// A ChildProcess, with all that is said of one there, and the daemon's end of its socket. The child
// has its socket, the slabs, its spec (see ipc/worker_spec.h), `output` as its standard output and
// error, and an empty standard input.
class WorkerProcess {
 public:
  // The spec's model files are open here, and are duplicated for the child, whose own numbers its
  // spec has. `probes` is there where the spec has some. Errors are those of ChildProcess::Spawn;
  // neither waits for anything.
  static absl::StatusOr<WorkerProcess> Spawn(const WorkerCommand& command, const WorkerSpec& spec,
                                             const Slab& slab, const Slab* probes = nullptr,
                                             int output = STDERR_FILENO);

  pid_t pid() const { return process_.pid(); }
  int pidfd() const { return process_.pidfd(); }
  const FrameSocket& socket() const { return socket_; }

  // SIGKILL; nothing when it has ended.
  void Kill() const;
  std::optional<ProcessExit> Reap() { return process_.Reap(); }

 private:
  WorkerProcess(FrameSocket socket, ChildProcess process)
      : socket_(std::move(socket)), process_(std::move(process)) {}

  FrameSocket socket_;  // destroyed after the process
  ChildProcess process_;
};

}  // namespace escan
