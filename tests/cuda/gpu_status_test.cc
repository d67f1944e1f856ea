#include "worker/cuda/gpu_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

// Needs no GPU.
namespace escan {
namespace {

using testing::HasSubstr;

TEST(GpuStatus, IsOkForSuccess) { EXPECT_TRUE(GpuStatus(cudaSuccess, "do it").ok()); }

TEST(GpuStatus, NamesTheErrorAndWhatWasDone) {
  const absl::Status status = GpuStatus(cudaErrorInvalidValue, "do it");
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()),
              testing::StartsWith("cannot do it: cudaErrorInvalidValue (1): "));
}

TEST(GpuStatus, StickyErrorsAreFaultsOfTheDevice) {
  for (const cudaError_t error :
       {cudaErrorIllegalAddress, cudaErrorAssert, cudaErrorLaunchFailure,
        cudaErrorIllegalInstruction, cudaErrorMisalignedAddress, cudaErrorHardwareStackError,
        cudaErrorInvalidPc, cudaErrorInvalidAddressSpace, cudaErrorECCUncorrectable,
        cudaErrorMpsClientTerminated, cudaErrorMpsRpcFailure}) {
    EXPECT_EQ(GpuStatus(error, "go on").code(), absl::StatusCode::kAborted) << error;
  }
}

TEST(GpuStatus, LimitsAreNoFaults) {
  for (const cudaError_t error : {cudaErrorMemoryAllocation, cudaErrorMpsMaxClientsReached,
                                  cudaErrorMpsMaxConnectionsReached}) {
    EXPECT_EQ(GpuStatus(error, "go on").code(), absl::StatusCode::kResourceExhausted) << error;
  }
}

TEST(GpuStatus, SaysWhatAnErrorOfMpsMeans) {
  EXPECT_THAT(std::string(GpuStatus(cudaErrorMpsServerNotReady, "begin").message()),
              HasSubstr("(807): "));
  EXPECT_THAT(std::string(GpuStatus(cudaErrorMpsServerNotReady, "begin").message()),
              HasSubstr("; the MPS server is in fault until all of its clients have ended"));
}

}  // namespace
}  // namespace escan
