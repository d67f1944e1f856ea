#pragma once

#include <ATen/BlasBackend.h>

#include <string>

#include "worker/cuda/gpu_choice.h"

namespace escan {

// While it lives, products of matrices that the calling thread enqueues on the GPU are computed as
// `plan` says: through at::globalContext() for cuBLASLt, and cublasSetSmCountTarget() on the
// thread's handle for cuBLAS. What was captured meanwhile stays so. As before when destroyed.
class BlasScope {
 public:
  explicit BlasScope(const BlasPlan& plan);
  ~BlasScope();
  BlasScope(const BlasScope&) = delete;
  BlasScope& operator=(const BlasScope&) = delete;

 private:
  const BlasPlan plan_;
  const at::BlasBackend backend_;  // before
};

// "130100": the version of the cuBLAS that this process runs.
std::string CublasVersion();

}  // namespace escan
