#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "escan/time.h"
#include "ipc/unique_fd.h"

namespace escan {

// A process that somebody else started. It is never mistaken for a later one of the same number.
class ForeignProcess {
 public:
  // The process `pid` if it exists and its program's file name is `program`.
  static std::optional<ForeignProcess> Find(pid_t pid, std::string_view program);
  // All processes of this kind whose environment has `variable` ("NAME=VALUE"). Those of other
  // users are left out unless this process may look into them.
  static std::vector<ForeignProcess> FindAll(std::string_view program, std::string_view variable);

  pid_t pid() const { return pid_; }
  bool ended() const;
  // nullopt: it may not be read, or the process has ended.
  std::optional<std::vector<std::string>> Environment() const;
  // Waits for its end until `deadline`; whether it has ended.
  bool AwaitEnd(TimePoint deadline) const;
  // SIGTERM; after `patience`, SIGKILL. Returns when it has ended, or could not be ended.
  void End(Duration patience) const;

 private:
  ForeignProcess(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid_;
  UniqueFd pidfd_;
};

}  // namespace escan
