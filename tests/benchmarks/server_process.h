#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "contracts/mutex.h"
#include "escan/time.h"
#include "ipc/unique_fd.h"

namespace escan {

// The programs of this build lie in one folder: `name` beside the running program.
std::filesystem::path SiblingProgram(const std::string& name);

// A child process that serves until it is told to end. Its output (standard output and error) is
// read by a thread of this object and kept. Used by one thread, the one that outlives it: the
// kernel sends SIGTERM to the child when the thread that started it ends, so none stays behind if
// this program is killed. The destructor sends SIGTERM, waits, after ten seconds kills.
class ServerProcess {
 public:
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(
      const std::filesystem::path& program, const std::vector<std::string>& arguments);
  ~ServerProcess();

  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  pid_t pid() const { return pid_; }

  // Blocks until the output has a line with `text`, and returns what follows it there. Unavailable,
  // with all of the output, when the output ends or `timeout` passes first.
  absl::StatusOr<std::string> WaitForOutput(const std::string& text, Duration timeout)
      ESCAN_EXCLUDES(mutex_);

 private:
  ServerProcess(pid_t pid, UniqueFd output);
  void ReadOutput();
  bool WaitForEnd(Duration timeout) ESCAN_EXCLUDES(mutex_);

  const pid_t pid_;
  const UniqueFd output_fd_;
  Mutex mutex_;
  CondVar changed_;
  std::string output_ ESCAN_GUARDED_BY(mutex_);
  bool ended_ ESCAN_GUARDED_BY(mutex_) = false;  // the child and its children closed their output
  std::thread reader_;
};

}  // namespace escan
