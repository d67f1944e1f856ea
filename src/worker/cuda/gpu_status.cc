#include "worker/cuda/gpu_status.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

// CUDA's documentation of these says that the process must be ended and started anew to go on, or
// (the last four) that the MPS server or the connection to it is gone.
constexpr std::array kDeviceFaults = {cudaErrorECCUncorrectable,   cudaErrorIllegalAddress,
                                      cudaErrorLaunchTimeout,      cudaErrorAssert,
                                      cudaErrorHardwareStackError, cudaErrorIllegalInstruction,
                                      cudaErrorMisalignedAddress,  cudaErrorInvalidAddressSpace,
                                      cudaErrorInvalidPc,          cudaErrorLaunchFailure,
                                      cudaErrorExternalDevice,     cudaErrorNvlinkUncorrectable,
                                      cudaErrorContained,          cudaErrorTensorMemoryLeak,
                                      cudaErrorContextIsDestroyed, cudaErrorMpsConnectionFailed,
                                      cudaErrorMpsRpcFailure,      cudaErrorMpsServerNotReady,
                                      cudaErrorMpsClientTerminated};

constexpr std::array kLimits = {cudaErrorMemoryAllocation, cudaErrorMpsMaxClientsReached,
                                cudaErrorMpsMaxConnectionsReached};

absl::string_view MeaningOf(cudaError_t error) {
  switch (error) {
    case cudaErrorMpsConnectionFailed:
      return "; the MPS control daemon does not answer";
    case cudaErrorMpsRpcFailure:
      return "; the MPS server ended or does not answer";
    case cudaErrorMpsServerNotReady:
      return "; the MPS server is in fault until all of its clients have ended";
    case cudaErrorMpsMaxClientsReached:
      return "; MPS has as many clients on this device as it allows";
    case cudaErrorMpsMaxConnectionsReached:
      return "; MPS has as many connections to this device as it allows";
    case cudaErrorMpsClientTerminated:
      return "; this client was ended by the MPS server";
    case cudaErrorNoDevice:
      return "; no GPU is visible to this process";
    case cudaErrorInsufficientDriver:
      return "; the NVIDIA driver is missing or older than the CUDA runtime needs";
    default:
      return "";
  }
}

template <typename Errors>
bool Contains(const Errors& errors, cudaError_t error) {
  return std::find(errors.begin(), errors.end(), error) != errors.end();
}

}  // namespace

bool IsDeviceFault(cudaError_t error) { return Contains(kDeviceFaults, error); }

absl::Status GpuStatus(cudaError_t error, absl::string_view doing) {
  if (error == cudaSuccess) return absl::OkStatus();
  const absl::StatusCode code = IsDeviceFault(error)       ? absl::StatusCode::kAborted
                                : Contains(kLimits, error) ? absl::StatusCode::kResourceExhausted
                                                           : absl::StatusCode::kInternal;
  return absl::Status(code, absl::StrCat("cannot ", doing, ": ", cudaGetErrorName(error), " (",
                                         static_cast<int>(error), "): ", cudaGetErrorString(error),
                                         MeaningOf(error)));
}

}  // namespace escan
