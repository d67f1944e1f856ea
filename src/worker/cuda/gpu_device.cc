#include "worker/cuda/gpu_device.h"

#include <cuda_runtime_api.h>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "worker/cuda/gpu_status.h"

namespace escan {
namespace {

constexpr int kDevice = 0;

// "GPU-" and the bytes in hexadecimal, in groups of 4, 2, 2, 2 and 6.
std::string NameOf(const cudaUUID_t& uuid) {
  const std::string hex = absl::BytesToHexString(absl::string_view(uuid.bytes, sizeof(uuid.bytes)));
  return absl::StrCat("GPU-", hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-",
                      hex.substr(16, 4), "-", hex.substr(20));
}

}  // namespace

absl::StatusOr<GpuFacts> InitializeGpu(const std::string& uuid) {
  cudaDeviceProp properties;
  cudaError_t error = cudaSetDeviceFlags(cudaDeviceScheduleBlockingSync);
  if (error == cudaSuccess) error = cudaSetDevice(kDevice);
  if (error == cudaSuccess) error = cudaGetDeviceProperties(&properties, kDevice);
  int multiprocessors = 0;
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, kDevice);
  }
  if (error != cudaSuccess) {
    return GpuStatus(error, absl::StrCat("use the GPU", uuid.empty() ? "" : " ", uuid));
  }
  GpuFacts facts = {properties.name, NameOf(properties.uuid), multiprocessors};
  // What is no whole GPU has a name of another form, and CUDA_VISIBLE_DEVICES has seen to it.
  if (absl::StartsWith(uuid, "GPU-") && uuid != facts.uuid) {
    return absl::FailedPreconditionError(
        absl::StrCat("the GPU that this process sees is ", facts.uuid, ", expected ", uuid));
  }
  return facts;
}

}  // namespace escan
