#include "worker/cuda/cuda_module.h"

#include <ATen/Context.h>
#include <c10/core/DefaultDtype.h>
#include <torch/csrc/jit/passes/frozen_concat_linear.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "worker/cuda/blas_scope.h"
#include "worker/cuda/gpu_status.h"
#include "worker/cuda/packed_block.h"
#include "worker/torch/convolution_fusion.h"
#include "worker/torch/graph_transform.h"
#include "worker/torch/torch_datatype.h"
#include "worker/torch/torch_tensors.h"
#include "worker/torch/torch_variants.h"

namespace escan {
namespace {

const c10::Device kGpu(c10::kCUDA, 0);

// The first run with a shape chooses and loads kernels, the second runs as later ones do.
constexpr int kWarmUpRuns = 2;

bool IsHalf(const WorkerStage& stage, const GpuChoice& choice) {
  return stage.gpu.precision == Precision::kFp16 && !choice.fp32;
}

// How libtorch is to run a module; as it was before when destroyed. The graph optimizer, and with
// it the fuser that compiles kernels at run time, is off: it would specialise for each shape anew.
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
  const torch::jit::GraphOptimizerEnabledGuard keep_graph_{false};
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

absl::StatusOr<CudaModule> CudaModule::Make(const WorkerStage& stage,
                                            const torch::jit::Module& frozen,
                                            const GpuChoice& choice) {
  const GpuVariant& variant = choice.variant;
  absl::StatusOr<torch::jit::Module> module =
      CatchTorchErrors([&]() -> absl::StatusOr<torch::jit::Module> {
        torch::jit::Module made = Retarget(frozen, {.device = kGpu,
                                                    .half = IsHalf(stage, choice),
                                                    .channels_last = variant.channels_last});
        if (variant.rewriting == Rewriting::kNone) return made;
        if (variant.rewriting == Rewriting::kFused) FuseConvolutions(made);
        // Freezing does this, on a GPU only.
        std::shared_ptr<torch::jit::Graph> graph = made.get_method("forward").graph();
        torch::jit::FrozenConcatLinear(graph);
        return torch::jit::optimize_for_inference(made);
      });
  if (!module.ok()) return module.status();
  return CudaModule(stage, *std::move(module), choice);
}

absl::StatusOr<std::vector<at::Tensor>> CudaModule::Forward(std::byte* inputs, int rows) const {
  return CatchTorchErrors([&]() -> absl::StatusOr<std::vector<at::Tensor>> {
    const bool half = IsHalf(stage_, choice_);
    const bool benchmark = std::ranges::count(choice_.benchmarked, rows) > 0;
    const TorchModes modes(half, benchmark, choice_);
    const BlockLayout block = InputBlock(stage_, rows);
    std::vector<c10::IValue> arguments;
    arguments.reserve(stage_.inputs.size() + 1);  // forward() puts the module in front
    for (size_t i = 0; i < stage_.inputs.size(); ++i) {
      const SlabTensor& input = stage_.inputs[i];
      const at::Tensor tensor =
          at::from_blob(inputs + block.offsets[i], BatchedShape(input, rows),
                        at::TensorOptions(ToScalarType(input.datatype)).device(kGpu));
      const bool convert =
          half && (input.datatype == Datatype::kFp32 || input.datatype == Datatype::kFp64);
      arguments.emplace_back(convert ? tensor.to(at::kHalf) : tensor);
    }
    const std::vector<c10::IValue> values = Elements(module_.forward(std::move(arguments)));
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
