#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace escan {

// What a process is shown of the one GPU that it uses, device 0.
struct GpuFacts {
  std::string name;         // "NVIDIA H100 80GB HBM3"
  std::string uuid;         // "GPU-..."
  int multiprocessors = 0;  // fewer than the device has where MPS limits this process's share
};

// Makes the process's context on device 0; a thread that waits for the device sleeps. Call before
// anything else of CUDA. `uuid` is the device that the daemon meant; empty: any. The error says
// what is missing: no device, an old driver, MPS and in which state.
absl::StatusOr<GpuFacts> InitializeGpu(const std::string& uuid);

}  // namespace escan
