#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "escan/time.h"

namespace escan {

// NVIDIA's MPS control program as a client of a control daemon: every call executes the program
// once, gives it one command, and waits for its end, at most for `timeout`; then the program is
// killed. Errors name the command and what the program said: NotFound when there is no such
// program, DeadlineExceeded when it took too long, Unavailable when it failed (which it does when
// no daemon answers), Internal when it said something that cannot be understood. Const calls may be
// made by any thread.
//
// The commands are those of NVIDIA's MPS guide, "nvidia-cuda-mps-control".
class MpsControl {
 public:
  // The daemon's environment. `log` may be empty: CUDA's default.
  struct Directories {
    std::filesystem::path pipe;
    std::filesystem::path log;

    // As variables of the daemon, its clients and its control program.
    std::vector<std::string> Environment() const;
  };

  // A program without a slash is looked for in PATH.
  MpsControl(std::filesystem::path program, Directories directories, Duration timeout)
      : program_(std::move(program)), directories_(std::move(directories)), timeout_(timeout) {}

  const std::filesystem::path& program() const { return program_; }
  const Directories& directories() const { return directories_; }
  Duration timeout() const { return timeout_; }

  // The running servers. A daemon starts one when its first client comes.
  absl::StatusOr<std::vector<pid_t>> Servers() const;
  absl::StatusOr<std::vector<pid_t>> Clients(pid_t server) const;
  // Ends what the client does on the GPU; the process stays. FailedPrecondition when the daemon
  // refuses. Waits for `timeout` at most.
  absl::Status TerminateClient(pid_t server, pid_t client, Duration timeout) const;
  // Asks the daemon and its servers to end.
  absl::Status Quit() const;

  // What the program prints when it is given `command`, at most 64 KiB.
  absl::StatusOr<std::string> Run(const std::string& command) const {
    return Run(command, timeout_);
  }

 private:
  absl::StatusOr<std::string> Run(const std::string& command, Duration timeout) const;
  absl::StatusOr<std::vector<pid_t>> Pids(const std::string& command) const;

  std::filesystem::path program_;
  Directories directories_;
  Duration timeout_;
};

// The process ids at the beginnings of lines; "PID" may stand before. Lines that say that there are
// none are skipped. Internal, with the text, when there is something but neither of these.
absl::StatusOr<std::vector<pid_t>> ParsePids(std::string_view text);

}  // namespace escan
