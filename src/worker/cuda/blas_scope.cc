#include "worker/cuda/blas_scope.h"

#include <ATen/Context.h>
#include <c10/util/Exception.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <exception>
#include <optional>

#include "absl/strings/str_cat.h"
#include "worker/torch/quiet_warnings.h"

// What is needed of headers that not every CUDA compiler comes with: ATen/cuda/CUDAContextLight.h
// includes those of cuBLAS, cuSPARSE and cuSOLVER.
struct cublasContext;
namespace at::cuda {
cublasContext* getCurrentCUDABlasHandle();
cudaDeviceProp* getCurrentDeviceProperties();
}  // namespace at::cuda

namespace escan {
namespace {

// A function of the library that libtorch has loaded.
template <typename Function>
Function Find(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_DEFAULT, name));
}

// The status of cuBLAS; 0: success.
int SetTarget(int multiprocessors) {
  using SetSmCountTarget = int (*)(cublasContext*, int);
  static const auto set = Find<SetSmCountTarget>("cublasSetSmCountTarget");
  TORCH_CHECK(set != nullptr, "this cuBLAS has no cublasSetSmCountTarget");
  return set(at::cuda::getCurrentCUDABlasHandle(), multiprocessors);
}

}  // namespace

// What can fail comes first: where it does, nothing is left changed.
BlasScope::BlasScope(const BlasPlan& plan)
    : plan_(plan), backend_(at::globalContext().blasPreferredBackend()) {
  if (plan_.multiprocessors > 0) {
    const int error = SetTarget(plan_.multiprocessors);
    TORCH_CHECK(error == 0, "cublasSetSmCountTarget(", plan_.multiprocessors, ") failed: status ",
                error);
    const int seen = at::cuda::getCurrentDeviceProperties()->multiProcessorCount;
    at::globalContext()._setSMCarveout_EXPERIMENTAL(seen - plan_.multiprocessors);
  }
  if (plan_.cublaslt) {
    const QuietWarnings quiet;  // libtorch calls the choice experimental
    at::globalContext().setBlasPreferredBackend(at::BlasBackend::Cublaslt);
  }
}

// What fails here fails again, and is told, at the thread's next use of the device.
BlasScope::~BlasScope() {
  try {
    if (plan_.cublaslt) at::globalContext().setBlasPreferredBackend(backend_);
    if (plan_.multiprocessors == 0) return;
    at::globalContext()._setSMCarveout_EXPERIMENTAL(std::nullopt);
    SetTarget(0);
  } catch (const std::exception&) {
  }
}

std::string CublasVersion() {
  using GetVersion = size_t (*)();
  const auto get = Find<GetVersion>("cublasLtGetVersion");
  return get == nullptr ? "unknown" : absl::StrCat(get());
}

}  // namespace escan
