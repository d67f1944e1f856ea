#include "worker/loop/make_executor.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "worker/loop/composite_executor.h"
#include "worker/loop/null_executor.h"
#include "worker/loop/stage_tensors.h"
#ifdef ESCAN_WITH_TORCH
#include "worker/loop/worker_log.h"
#include "worker/torch/reference_model.h"
#include "worker/torch/torch_executor.h"
#include "worker/torch/torch_model.h"
#endif
#ifdef ESCAN_WITH_CUDA
#include "worker/cuda/cuda_executor.h"
#endif

namespace escan {
namespace {

std::vector<WorkerStage> StagesOf(const WorkerSpec& spec, ExecutorKind kind) {
  std::vector<WorkerStage> stages;
  for (const WorkerStage& stage : spec.stages) {
    if (stage.executor == kind) stages.push_back(stage);
  }
  return stages;
}

#ifdef ESCAN_WITH_CUDA
absl::StatusOr<std::unique_ptr<StageExecutor>> MakeForGpu(const WorkerSpec& spec,
                                                          std::vector<WorkerStage> stages,
                                                          const Slab& slab, const Probes* probes) {
  CudaExecutor::Options options = {.stages = std::move(stages),
                                   .credits = spec.credits,
                                   .gpu = spec.gpu,
                                   .cache = spec.cache,
                                   .probes = probes};
  options.log = [label = absl::StrCat(" cascade=", spec.cascade, " worker=", spec.worker)](
                    const std::string& fields) { LogLine(absl::StrCat(fields, label)); };
  return std::make_unique<CudaExecutor>(std::move(options), slab);
}
#else
absl::StatusOr<std::unique_ptr<StageExecutor>> MakeForGpu(const WorkerSpec& spec,
                                                          std::vector<WorkerStage> stages,
                                                          const Slab&, const Probes*) {
  return absl::FailedPreconditionError(absl::StrCat(
      StageLabel(stages.front()),
      ": this program runs stages on the CPU only; escan-worker-cuda runs them on ", spec.gpu));
}
#endif

#ifdef ESCAN_WITH_TORCH
absl::StatusOr<std::unique_ptr<StageExecutor>> MakeTorchScript(const WorkerSpec& spec,
                                                               std::vector<WorkerStage> stages,
                                                               const Slab& slab,
                                                               const Probes* probes) {
  const auto log = [cascade = spec.cascade, worker = spec.worker](const WorkerStage& stage,
                                                                  const std::string& variant) {
    LogLine(absl::StrCat("event=loaded cascade=", cascade, " worker=", worker,
                         " stage=", stage.name, " variant=", variant));
  };
  VariantChoices choices(CacheFolder(spec.cache), spec.threads, CpuLibraries());
  return std::make_unique<TorchExecutor>(std::move(stages), slab, probes, std::move(choices), log);
}
#else
absl::Status BuiltWithoutTorch(const WorkerStage& stage) {
  return absl::InvalidArgumentError(
      absl::StrCat(StageLabel(stage),
                   ": this escan-worker was built without TorchScript (ESCAN_TORCH=OFF) and runs "
                   "null stages only"));
}

void LimitTorchThreads(int) {}

std::string ReferenceLibraries() { return ""; }

absl::StatusOr<Reference> ComputeReference(const WorkerStage& stage, const Probes&) {
  return BuiltWithoutTorch(stage);
}

absl::StatusOr<std::unique_ptr<StageExecutor>> MakeTorchScript(const WorkerSpec&,
                                                               std::vector<WorkerStage> stages,
                                                               const Slab&, const Probes*) {
  return BuiltWithoutTorch(stages.front());
}
#endif

}  // namespace

absl::StatusOr<std::unique_ptr<StageExecutor>> MakeExecutor(const WorkerSpec& spec,
                                                            const Slab& slab,
                                                            const Probes* probes) {
  LimitTorchThreads(spec.threads);
  std::vector<CompositeExecutor::Part> parts;
  if (std::vector<WorkerStage> stages = StagesOf(spec, ExecutorKind::kNull); !stages.empty()) {
    parts.push_back({stages, std::make_unique<NullExecutor>(stages, slab)});
  }
  if (std::vector<WorkerStage> stages = StagesOf(spec, ExecutorKind::kTorchScript);
      !stages.empty()) {
    absl::StatusOr<std::unique_ptr<StageExecutor>> executor =
        spec.gpu.empty() ? MakeTorchScript(spec, stages, slab, probes)
                         : MakeForGpu(spec, stages, slab, probes);
    if (!executor.ok()) return executor.status();
    parts.push_back({std::move(stages), *std::move(executor)});
  }
  if (parts.size() == 1) return std::move(parts.front().executor);
  return std::make_unique<CompositeExecutor>(std::move(parts));
}

void LimitThreads(const WorkerSpec& spec) { LimitTorchThreads(spec.threads); }

absl::StatusOr<Probes> MakeProbes(const WorkerSpec& spec, const Slab& given) {
  LimitTorchThreads(spec.threads);
  absl::StatusOr<Probes> probes = Probes::Copy(given, spec.stride);
  if (!probes.ok()) return probes;
  std::vector<WorkerStage> stages = spec.feeders;
  stages.insert(stages.end(), spec.stages.begin(), spec.stages.end());
  std::ranges::sort(stages, {}, &WorkerStage::index);  // what is read comes first
  const absl::Status prepared =
      probes->Prepare(stages, CacheFolder(spec.cache), ReferenceLibraries(), ComputeReference);
  if (!prepared.ok()) return prepared;
  return probes;
}

}  // namespace escan
