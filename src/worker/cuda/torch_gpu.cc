#include "worker/cuda/torch_gpu.h"

#include <ATen/Context.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <torch/version.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/cuda/blas_scope.h"
#include "worker/cuda/torch_gpu_state.h"
#include "worker/torch/quiet_warnings.h"
#include "worker/torch/torch_variants.h"

namespace escan {
namespace {

// cuDNN measures so many of its algorithms for a convolution, the ones that it guesses best. It
// does so at every start, for each bucket; ten took 6 s for three small networks of convolutions.
constexpr int kBenchmarkedAlgorithms = 3;

// FP32 means FP32: no convolution in TF32 (products of matrices are not by default). What is called
// here sets the older switch and the newer one, of which libtorch wants both to say the same, and
// warns of being old.
void ComputeFp32AsSuch() {
  const QuietWarnings quiet;
  at::globalContext().setAllowTF32CuDNN(false);
}

}  // namespace

absl::StatusOr<TorchGpu> TorchGpu::Create() {
  return CatchTorchErrors([]() -> absl::StatusOr<TorchGpu> {
    at::globalContext().lazyInitDevice(c10::kCUDA);
    at::globalContext().setBenchmarkLimitCuDNN(kBenchmarkedAlgorithms);
    ComputeFp32AsSuch();
    const c10::cuda::CUDAStream stream =
        c10::cuda::getStreamFromPool(/*isHighPriority=*/false, /*device=*/0);
    c10::cuda::setCurrentCUDAStream(stream);
    return TorchGpu(std::unique_ptr<State>(new State{stream, {}}));
  });
}

TorchGpu::TorchGpu(std::unique_ptr<State> state) : state_(std::move(state)) {}
TorchGpu::TorchGpu(TorchGpu&&) noexcept = default;
TorchGpu& TorchGpu::operator=(TorchGpu&&) noexcept = default;
TorchGpu::~TorchGpu() = default;

cudaStream_t TorchGpu::stream() const { return state_->stream.stream(); }

size_t TorchGpu::memory_bytes() const {
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(/*device=*/0);
  constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return static_cast<size_t>(stats.reserved_bytes[kAll].current);
}

std::string TorchGpu::Libraries() const {
  return absl::StrCat("torch ", TORCH_VERSION, ", CUDA ", CUDART_VERSION / 1000, ".",
                      CUDART_VERSION % 1000 / 10, ", cuDNN ", at::Context::versionCuDNN(),
                      ", cuBLAS ", CublasVersion());
}

}  // namespace escan
