#include "worker/cuda/cuda_module.h"

#include <ATen/Context.h>
#include <c10/core/DefaultDtype.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "worker/cuda/blas_scope.h"
#include "worker/cuda/gpu_status.h"
#include "worker/cuda/packed_block.h"
#include "worker/torch/torch_datatype.h"
#include "worker/torch/torch_tensors.h"
#include "worker/torch/torch_variants.h"

namespace escan {
namespace {

// The first run with a shape chooses and loads kernels, the second runs as later ones do.
constexpr int kWarmUpRuns = 2;

// How libtorch is to run a model; as it was before when destroyed.
class TorchModes {
 public:
  TorchModes(bool half, bool benchmark, const GpuChoice& choice)
      : default_dtype_(c10::get_default_dtype()), blas_(choice.blas) {
    // What `uint8 * 0.5` gives.
    c10::set_default_dtype(half ? caffe2::TypeMeta::Make<at::Half>()
                                : caffe2::TypeMeta::Make<float>());
    at::globalContext().setBenchmarkCuDNN(benchmark);
    at::globalContext().setUserEnabledCuDNN(choice.cudnn);
  }
  ~TorchModes() {
    at::globalContext().setUserEnabledCuDNN(true);
    c10::set_default_dtype(default_dtype_);
  }
  TorchModes(const TorchModes&) = delete;
  TorchModes& operator=(const TorchModes&) = delete;

 private:
  const caffe2::TypeMeta default_dtype_;
  const BlasScope blas_;
  const c10::InferenceMode inference_;
};

bool IsOutOfMemory(absl::string_view message) {
  return absl::StrContains(message, "out of memory") || absl::StrContains(message, "ALLOC_FAILED");
}

}  // namespace

absl::Status WithGpuCause(const absl::Status& status, cudaStream_t stream) {
  if (status.ok()) return status;
  // A sticky error is what every call answers from now on.
  const cudaError_t error = cudaStreamQuery(stream);
  (void)cudaGetLastError();
  if (IsDeviceFault(error)) return GpuStatus(error, "go on");
  if (IsOutOfMemory(status.message())) return absl::ResourceExhaustedError(status.message());
  return status;
}

absl::StatusOr<CudaModule> CudaModule::Make(const WorkerStage& stage, GpuSource& source,
                                            const GpuChoice& choice) {
  absl::StatusOr<SharedFunction> function = source.Make(stage, choice);
  if (!function.ok()) return function.status();
  return CudaModule(stage, *std::move(function), choice);
}

absl::StatusOr<std::vector<at::Tensor>> CudaModule::Forward(std::byte* inputs, int rows) const {
  return CatchTorchErrors([&]() -> absl::StatusOr<std::vector<at::Tensor>> {
    const bool benchmark = std::ranges::count(choice_.benchmarked, rows) > 0;
    const TorchModes modes(IsHalf(stage_, choice_), benchmark, choice_);
    const BlockLayout block = InputBlock(stage_, rows);
    std::vector<at::Tensor> arguments;
    for (size_t i = 0; i < stage_.inputs.size(); ++i) {
      const SlabTensor& input = stage_.inputs[i];
      arguments.push_back(
          at::from_blob(inputs + block.offsets[i], BatchedShape(input, rows),
                        at::TensorOptions(ToScalarType(input.datatype)).device(kGpu)));
    }
    const std::vector<c10::IValue> values = function_->Call(std::move(arguments));
    const absl::Status status = CheckOutputs(values, stage_, rows, /*any_float=*/true);
    if (!status.ok()) return status;
    std::vector<at::Tensor> outputs;
    for (const c10::IValue& value : values) {
      outputs.push_back(InPlainMemory(value.toTensor().to(kGpu)));
    }
    return outputs;
  });
}

absl::Status WarmUp(const CudaModule& module, std::byte* inputs, int rows, cudaStream_t stream) {
  const WorkerStage& stage = module.stage();
  cudaError_t error = cudaMemsetAsync(inputs, 0, InputBlock(stage, rows).bytes, stream);
  absl::Status status = GpuStatus(error, "clear the inputs");
  for (int run = 0; run < kWarmUpRuns && status.ok(); ++run) {
    status = module.Forward(inputs, rows).status();
  }
  if (status.ok()) {
    error = cudaStreamSynchronize(stream);
    status = GpuStatus(error, "compute zeros");
  }
  status = WithGpuCause(status, stream);
  if (status.ok()) return status;
  const bool model_failed = !absl::IsAborted(status) && !absl::IsResourceExhausted(status);
  return absl::Status(
      status.code(),
      absl::StrCat("with zeros for ", DescribeInputs(stage, rows), ": ", status.message(),
                   model_failed && stage.gpu.precision == Precision::kFp16
                       ? " (in FP16; `precision: fp32` runs the model as its file says)"
                       : ""));
}

absl::StatusOr<CapturedBucket> CaptureBucket(const CudaModule& module, std::byte* inputs, int rows,
                                             const GraphPool& pool, cudaStream_t stream) {
  return CatchTorchErrors([&]() -> absl::StatusOr<CapturedBucket> {
    const GraphPool::Use use(pool, stream);
    if (const absl::Status status = WarmUp(module, inputs, rows, stream); !status.ok()) {
      return status;
    }
    std::vector<at::Tensor> outputs;
    absl::StatusOr<CapturedGraph> graph = CapturedGraph::Capture(stream, [&] {
      absl::StatusOr<std::vector<at::Tensor>> enqueued = module.Forward(inputs, rows);
      if (enqueued.ok()) outputs = *std::move(enqueued);
      const absl::Status& status = enqueued.status();
      return IsOutOfMemory(status.message()) ? absl::ResourceExhaustedError(status.message())
                                             : status;
    });
    if (!graph.ok()) return graph.status();
    cudaError_t error = graph->Launch(stream);
    if (error == cudaSuccess) error = cudaStreamSynchronize(stream);
    if (error != cudaSuccess) return GpuStatus(error, "run the captured graph");
    return CapturedBucket{rows, *std::move(graph), std::move(outputs)};
  });
}

}  // namespace escan
