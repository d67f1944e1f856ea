#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "config/config.h"

namespace escan {

// How NVIDIA's MPS daemon fares, as operators and the metrics see it.
struct MpsReport {
  MpsConfig::Mode mode = MpsConfig::Mode::kManaged;
  bool running = false;            // takes clients
  std::vector<pid_t> server_pids;  // of its servers, as far as they are known
  uint64_t restarts = 0;           // of the daemon, by this one
  std::string reason;              // why it is not running
};

// Answers with the present state. Any thread; does not block.
using MpsReporter = std::function<MpsReport()>;

}  // namespace escan
