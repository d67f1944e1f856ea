#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "escan/time.h"
#include "ipc/unique_fd.h"

namespace escan {

// How a process ended.
struct ProcessExit {
  bool by_signal = false;
  int value = 0;  // exit status or signal number

  std::string ToString() const;  // "exit status 3", "signal 11 (Segmentation fault)"
};

// A program that this process started. Its signal handling is default, its process group its own.
// Used by one thread. The destructor kills a process that still runs and waits for its end, which
// takes the kernel a moment, and kLongestEnd at most: one that the kernel does not let go is left
// to whoever reaps the orphans of this process. Nobody else may wait for the children of this
// process, nor may it ignore SIGCHLD.
class ChildProcess {
 public:
  static constexpr Duration kLongestEnd = std::chrono::seconds(5);

  struct Program {
    std::filesystem::path path;  // without a slash: looked for in PATH
    std::vector<std::string> arguments;
    std::vector<std::string> environment;  // "NAME=VALUE", in place of what this process has
    // Number i of the child is a duplicate of the i-th, or /dev/null to read for none; no others.
    std::vector<std::optional<int>> descriptors;
  };

  // posix_spawn; does not wait for anything. NotFound when the program cannot be executed;
  // ResourceExhausted when there are too many processes or descriptors.
  static absl::StatusOr<ChildProcess> Spawn(const Program& program);
  ChildProcess(ChildProcess&&) noexcept = default;
  ChildProcess& operator=(ChildProcess&&) noexcept;
  ~ChildProcess() { End(); }

  pid_t pid() const { return pid_; }
  // Readable once the process has ended.
  int pidfd() const { return pidfd_.get(); }

  // Nothing when it has ended.
  void Signal(int number) const;
  // Not blocking; nullopt while the process runs. The same answer again after the first.
  std::optional<ProcessExit> Reap();
  // Waits for the end, at most until `deadline`; nullopt when the process still runs then.
  std::optional<ProcessExit> AwaitEnd(TimePoint deadline);

 private:
  ChildProcess(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  void End();

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  std::optional<ProcessExit> exit_;
};

}  // namespace escan
