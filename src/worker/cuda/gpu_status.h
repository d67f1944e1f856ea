#pragma once

#include <cuda_runtime_api.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace escan {

// True for an error after which nothing runs on the device any more in this process (CUDA's sticky
// errors), and for those by which MPS says that its server, or this client of it, is lost.
bool IsDeviceFault(cudaError_t error);

// What a CUDA call answered: OK for cudaSuccess; Aborted for a device fault; ResourceExhausted
// where memory, or the number of MPS clients, is at its limit; else Internal. The message is
// "cannot DOING: NAME (CODE): CUDA's own words", and for MPS's errors what they mean here.
absl::Status GpuStatus(cudaError_t error, absl::string_view doing);

}  // namespace escan
