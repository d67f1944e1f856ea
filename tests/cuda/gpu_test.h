#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

namespace escan {

inline bool GpuIsVisible() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

// At the begin of a SetUp().
#define ESCAN_SKIP_WITHOUT_GPU() \
  if (!GpuIsVisible()) GTEST_SKIP() << "no GPU is visible to this process"

}  // namespace escan
