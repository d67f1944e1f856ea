#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc/frame_socket.h"
#include "ipc/slab.h"
#include "ipc/worker_spec.h"

namespace escan {

// How a worker process ended.
struct WorkerExit {
  bool by_signal = false;
  int value = 0;  // exit status or signal number

  std::string ToString() const;  // "exit status 3", "signal 11 (Segmentation fault)"
};

// What is run as a worker: a program and its arguments, argv[0] excluded.
struct WorkerCommand {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // "NAME=VALUE", in place of what the daemon has or added
};

// One child process and the daemon's end of its socket. The child inherits nothing but its socket,
// the slab, its spec (see ipc/worker_spec.h), the environment, standard error (its standard output
// goes there too), and an empty standard input; signal handling is default, and its process group
// is its own. Used by one thread. The destructor kills a process that still runs and waits for its
// end, which takes the kernel a moment. Nobody else may wait for the children of this process, nor
// may it ignore SIGCHLD.
class WorkerProcess {
 public:
  // posix_spawn; does not wait for anything. NotFound when the program cannot be executed;
  // ResourceExhausted when there are too many processes or descriptors.
  static absl::StatusOr<WorkerProcess> Spawn(const WorkerCommand& command, const WorkerSpec& spec,
                                             const Slab& slab);
  WorkerProcess(WorkerProcess&&) noexcept;
  WorkerProcess& operator=(WorkerProcess&&) noexcept;
  ~WorkerProcess();

  pid_t pid() const { return pid_; }
  // Readable once the process has ended.
  int pidfd() const { return pidfd_.get(); }
  const FrameSocket& socket() const { return socket_; }

  // SIGKILL; nothing when it has ended.
  void Kill() const;
  // Not blocking; nullopt while the process runs. The same answer again after the first.
  std::optional<WorkerExit> Reap();

 private:
  WorkerProcess(pid_t pid, UniqueFd pidfd, FrameSocket socket);
  void End();

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  FrameSocket socket_;
  std::optional<WorkerExit> exit_;
};

}  // namespace escan
