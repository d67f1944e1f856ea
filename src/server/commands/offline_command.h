#pragma once

#include <functional>
#include <thread>

#include "absl/status/status.h"
#include "config/config.h"
#include "ipc/unique_fd.h"

// What the commands of escand that run workers and serve nothing have in common.
namespace escan {

// Unavailable when a daemon serves at one of the configuration's addresses.
absl::Status CheckNobodyServes(const ServerConfig& server);

// Calls back, on a thread of its own, when `fd` can be read; at most once, and not after its end.
class ReadableWatch {
 public:
  ReadableWatch(int fd, std::function<void()> on_readable);
  ~ReadableWatch();

 private:
  const UniqueFd end_;
  std::thread thread_;
};

}  // namespace escan
