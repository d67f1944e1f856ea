#include "stage_worker/blas_scope.h"

#include <ATen/Context.h>
#include <c10/util/Exception.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "stage_worker/quiet_warnings.h"

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

void SetTarget(int multiprocessors) {
  using SetSmCountTarget = int (*)(cublasContext*, int);
  static const auto set = Find<SetSmCountTarget>("cublasSetSmCountTarget");
  TORCH_CHECK(set != nullptr, "this cuBLAS has no cublasSetSmCountTarget");
  const int error = set(at::cuda::getCurrentCUDABlasHandle(), multiprocessors);
  TORCH_CHECK(error == 0, "cublasSetSmCountTarget(", multiprocessors, ") failed: status ", error);
}

}  // namespace

BlasScope::BlasScope(const BlasPlan& plan) : plan_(plan) {
  if (plan_.cublaslt) {
    const QuietWarnings quiet;  // libtorch calls the choice experimental
    at::globalContext().setBlasPreferredBackend(at::BlasBackend::Cublaslt);
  }
  if (plan_.multiprocessors == 0) return;
  const int seen = at::cuda::getCurrentDeviceProperties()->multiProcessorCount;
  at::globalContext()._setSMCarveout_EXPERIMENTAL(seen - plan_.multiprocessors);
  SetTarget(plan_.multiprocessors);
}

BlasScope::~BlasScope() {
  if (plan_.cublaslt) at::globalContext().setBlasPreferredBackend(at::BlasBackend::Default);
  if (plan_.multiprocessors == 0) return;
  at::globalContext()._setSMCarveout_EXPERIMENTAL(std::nullopt);
  SetTarget(0);
}

std::string CublasVersion() {
  using GetVersion = size_t (*)();
  const auto get = Find<GetVersion>("cublasLtGetVersion");
  return get == nullptr ? "unknown" : absl::StrCat(get());
}

}  // namespace escan
