#include "worker/cuda/gpu_source.h"

#include <c10/cuda/CUDACachingAllocator.h>
#include <cuda_runtime_api.h>
#include <torch/csrc/jit/passes/frozen_concat_linear.h>
#include <torch/script.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/cuda/gpu_status.h"
#include "worker/torch/compiled_function.h"
#include "worker/torch/convolution_fusion.h"
#include "worker/torch/graph_transform.h"
#include "worker/torch/script_function.h"
#include "worker/torch/torch_variants.h"

namespace escan {
namespace {

class ScriptSource : public GpuSource {
 public:
  static absl::StatusOr<std::unique_ptr<GpuSource>> Read(const WorkerStage& stage,
                                                         const ModelFile& file) {
    const absl::StatusOr<torch::jit::Module> loaded = ReadModule(file.content());
    if (!loaded.ok()) return loaded.status();
    const absl::Status status = CheckArgumentCount(*loaded, stage.inputs.size());
    if (!status.ok()) return status;
    const absl::StatusOr<torch::jit::Module> frozen = FreezeModule(*loaded);
    if (!frozen.ok()) return frozen.status();
    return std::make_unique<ScriptSource>(*frozen);
  }

  explicit ScriptSource(torch::jit::Module frozen) : frozen_(std::move(frozen)) {}

  absl::StatusOr<SharedFunction> Make(const WorkerStage& stage, const GpuChoice& choice) override {
    const GpuVariant& variant = choice.variant;
    const bool half = IsHalf(stage, choice);
    return CatchTorchErrors([&]() -> absl::StatusOr<SharedFunction> {
      torch::jit::Module made =
          Retarget(frozen_, {.device = kGpu, .half = half, .channels_last = variant.channels_last});
      if (variant.rewriting == Rewriting::kNone) {
        return std::make_shared<ScriptFunction>(std::move(made), half);
      }
      if (variant.rewriting == Rewriting::kFused) FuseConvolutions(made);
      // Freezing does this, on a GPU only.
      std::shared_ptr<torch::jit::Graph> graph = made.get_method("forward").graph();
      torch::jit::FrozenConcatLinear(graph);
      return std::make_shared<ScriptFunction>(torch::jit::optimize_for_inference(made), half);
    });
  }

  ModelTraits traits() const override { return {.has_convolutions = HasConvolutions(frozen_)}; }

 private:
  const torch::jit::Module frozen_;
};

size_t AllocatedBytes() {
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(kGpu.index());
  constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return static_cast<size_t>(stats.allocated_bytes[kAll].current);
}

class PackageSource : public GpuSource {
 public:
  static absl::StatusOr<std::unique_ptr<GpuSource>> Read(ModelFile file) {
    absl::StatusOr<CompiledPackage> package = CompiledPackage::Open(file.content());
    if (!package.ok()) return package.status();
    const absl::StatusOr<CompiledModel> model = package->ModelFor("cuda");
    if (!model.ok()) return model.status();
    return std::make_unique<PackageSource>(std::move(file), *std::move(package));
  }

  PackageSource(ModelFile file, CompiledPackage package)
      : file_(std::move(file)), package_(std::move(package)) {}

  absl::StatusOr<SharedFunction> Make(const WorkerStage& stage, const GpuChoice&) override {
    if (function_ == nullptr) {
      if (const absl::Status status = CheckArchitecture(); !status.ok()) return status;
      const size_t before = AllocatedBytes();
      absl::StatusOr<std::shared_ptr<CompiledFunction>> loaded =
          CompiledFunction::Load(package_, "cuda");
      if (!loaded.ok()) return loaded.status();
      const absl::Status status = (*loaded)->CheckArgumentCount(stage.inputs.size());
      if (!status.ok()) return status;
      // Compiled so, it takes memory for its weights from libtorch's allocator, else from CUDA.
      own_bytes_ = AllocatedBytes() > before ? 0 : (*loaded)->weight_bytes();
      function_ = *std::move(loaded);
    }
    return function_;
  }

  size_t own_bytes() const override { return own_bytes_; }
  // Whether it has convolutions that cuDNN computes is not seen from outside.
  ModelTraits traits() const override { return {.compiled = true, .has_convolutions = true}; }

 private:
  absl::Status CheckArchitecture() const {
    const absl::StatusOr<CompiledModel> model = package_.ModelFor("cuda");
    if (!model.ok() || !model->gpu_architecture) return model.status();
    int major = 0;
    int minor = 0;
    cudaError_t error = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0);
    if (error == cudaSuccess) {
      error = cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0);
    }
    if (error != cudaSuccess) return GpuStatus(error, "ask for the compute capability");
    const int found = major * 10 + minor;
    if (found == *model->gpu_architecture) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "the package was compiled for GPUs of compute capability ", *model->gpu_architecture,
        ", this one has ", found, " (90 is 9.0): compile it on this kind of GPU"));
  }

  const ModelFile file_;  // whose content the package is
  const CompiledPackage package_;
  SharedFunction function_;
  size_t own_bytes_ = 0;
};

}  // namespace

bool IsHalf(const WorkerStage& stage, const GpuChoice& choice) {
  return stage.gpu.precision == Precision::kFp16 && !choice.fp32;
}

absl::StatusOr<std::unique_ptr<GpuSource>> GpuSource::Read(const WorkerStage& stage,
                                                           ModelFile file) {
  if (file.format() == ModelFormat::kAotInductor) return PackageSource::Read(std::move(file));
  return ScriptSource::Read(stage, file);
}

}  // namespace escan
