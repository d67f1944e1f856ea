#include "worker/cuda/cuda_model.h"

#include <c10/cuda/CUDACachingAllocator.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/cuda/cuda_module.h"
#include "worker/cuda/cuda_variants.h"
#include "worker/cuda/gpu_memory.h"
#include "worker/cuda/gpu_source.h"
#include "worker/cuda/gpu_status.h"
#include "worker/cuda/torch_gpu_state.h"
#include "worker/files/model_file.h"
#include "worker/loop/stage_tensors.h"
#include "worker/torch/torch_datatype.h"
#include "worker/torch/torch_tensors.h"
#include "worker/torch/torch_variants.h"

namespace escan {

struct ReadStage {
  std::unique_ptr<GpuSource> source;
  uint64_t file_hash = 0;
  uint64_t file_bytes = 0;
};

namespace {

Conversion CopyOf(size_t bytes) {
  switch (bytes) {
    case 1:
      return Conversion::kCopy1;
    case 2:
      return Conversion::kCopy2;
    case 4:
      return Conversion::kCopy4;
    default:
      return Conversion::kCopy8;
  }
}

// CheckOutputs() has seen to it that there is one.
Conversion ConversionTo(Datatype declared, c10::ScalarType found) {
  if (ToScalarType(declared) == found) return CopyOf(ByteSize(declared));
  if (declared == Datatype::kFp32) {
    return found == at::kHalf ? Conversion::kFp16ToFp32 : Conversion::kBf16ToFp32;
  }
  return found == at::kFloat ? Conversion::kFp32ToFp16 : Conversion::kBf16ToFp16;
}

std::vector<CudaModel::Output> Describe(const std::vector<at::Tensor>& tensors,
                                        const WorkerStage& stage) {
  std::vector<CudaModel::Output> outputs;
  for (size_t i = 0; i < tensors.size(); ++i) {
    outputs.push_back({tensors[i].const_data_ptr(),
                       ConversionTo(stage.outputs[i].datatype, tensors[i].scalar_type())});
  }
  return outputs;
}

// A step's time is the mean of so many.
constexpr int kTimedSteps = 3;

std::string InputTypes(const WorkerStage& stage) {
  return absl::StrJoin(stage.inputs, ", ", [](std::string* out, const SlabTensor& input) {
    absl::StrAppend(out, std::string(Name(input.datatype)), " ", BatchedShapeString(input.shape));
  });
}

GpuChoiceKey KeyOf(const WorkerStage& stage, const ReadStage& read, GpuChoiceKey key) {
  key.model_hash = read.file_hash;
  key.model_bytes = read.file_bytes;
  key.inputs = InputTypes(stage);
  key.options = stage.gpu;
  key.buckets = stage.buckets;
  return key;
}

absl::Status CannotBeCaptured(const absl::Status& why) {
  return absl::FailedPreconditionError(
      absl::StrCat("cannot be captured as a CUDA graph: ", why.message(),
                   " (`execution: eager` runs the model without one)"));
}

absl::Status Labelled(const WorkerStage& stage, const absl::Status& status) {
  if (status.ok()) return status;
  if (!absl::IsResourceExhausted(status)) return Annotate(StageLabel(stage), status);
  return absl::ResourceExhaustedError(
      absl::StrCat(StageLabel(stage), ": ", status.message(),
                   " (the worker's memory_limit, or the GPU, has too little memory for its stages "
                   "with these buckets)"));
}

}  // namespace

struct CudaModel::State {
  WorkerStage stage;
  const TorchGpu::State& gpu;
  std::shared_ptr<ReadStage> read;  // until it is settled
  Environment environment;
  GpuChoiceKey key{};
  std::optional<GpuChoice> kept{};  // of this share, as an earlier start found it
  GpuChoice choice{};
  bool from_cache = false;
  size_t own_bytes = 0;
  DeviceMemory inputs{};
  std::optional<CudaModule> module{};
  // Ascending, as are the buckets that they belong to.
  std::vector<CapturedBucket> captured{};
  std::vector<Bucket> buckets{};
  std::vector<at::Tensor> outputs{};  // of the last Forward()

  absl::Status Load();
  absl::StatusOr<GpuChoice> FindKept();
  GpuChoiceKey KeyOfShare() const;
  absl::Status Choose();
  void Keep(const GpuChoiceKey& of, const GpuChoice& kept) const;
  absl::Status MakeModule();
  absl::Status Prepare(int rows);
  absl::StatusOr<Duration> TimeStep(size_t bucket);
  void RunEager(std::string reason);
  void Log(const std::string& fields) const { environment.log(fields); }
  void LogIgnored(const absl::Status& status) const {
    Log(absl::StrCat("event=cache_ignored stage=", stage.name, " reason=\"", status.message(),
                     "\""));
  }
};

absl::StatusOr<std::shared_ptr<ReadStage>> ReadStageModel(const WorkerStage& stage) {
  const auto read = [&]() -> absl::StatusOr<std::shared_ptr<ReadStage>> {
    absl::StatusOr<ModelFile> file = ModelFile::Read(stage);
    if (!file.ok()) return file.status();
    ReadStage result = {.file_hash = file->hash(), .file_bytes = file->content().size()};
    absl::StatusOr<std::unique_ptr<GpuSource>> source = GpuSource::Read(stage, *std::move(file));
    if (!source.ok()) return source.status();
    result.source = *std::move(source);
    return std::make_shared<ReadStage>(std::move(result));
  };
  absl::StatusOr<std::shared_ptr<ReadStage>> result = read();
  if (!result.ok()) return Annotate(StageLabel(stage), result.status());
  return result;
}

// One that was checked at this share, else one that is the fastest anywhere.
absl::StatusOr<GpuChoice> CudaModel::State::FindKept() {
  absl::StatusOr<GpuChoice> checked = environment.cache->Find(KeyOfShare());
  if (!checked.ok()) {
    if (!absl::IsNotFound(checked.status())) LogIgnored(checked.status());
    return environment.cache->Find(key);
  }
  kept = *checked;
  return checked;
}

GpuChoiceKey CudaModel::State::KeyOfShare() const {
  GpuChoiceKey of_share = key;
  of_share.multiprocessors = environment.multiprocessors;
  if (environment.probes != nullptr) of_share.probes = environment.probes->InputsHash(stage);
  return of_share;
}

absl::Status CudaModel::State::Choose() {
  key = KeyOf(stage, *read, environment.key);
  absl::StatusOr<GpuChoice> found = FindKept();
  UniqueFd reserved;  // equal workers start together, and would disturb each other's trials
  if (!found.ok()) {
    reserved = environment.cache->Reserve(key);
    found = FindKept();
  }
  from_cache = found.ok();
  if (from_cache) {
    choice = *found;
    return absl::OkStatus();
  }
  if (!absl::IsNotFound(found.status())) LogIgnored(found.status());
  found = ChooseVariant(stage, *read->source, inputs.get(), gpu.stream);
  if (absl::IsFailedPrecondition(found.status())) return CannotBeCaptured(found.status());
  if (!found.ok()) return found.status();
  choice = *found;
  Keep(key, choice);
  return absl::OkStatus();
}

void CudaModel::State::Keep(const GpuChoiceKey& of, const GpuChoice& kept) const {
  if (const absl::Status stored = environment.cache->Store(of, kept); !stored.ok()) {
    Log(absl::StrCat("event=cache_not_written stage=", stage.name, " reason=\"", stored.message(),
                     "\""));
  }
}

absl::Status CudaModel::State::Load() {
  absl::StatusOr<DeviceMemory> memory =
      AllocateDevice(InputBlock(stage, LargestBucket(stage)).bytes);
  if (!memory.ok()) return memory.status();
  inputs = *std::move(memory);
  if (const absl::Status chosen = Choose(); !chosen.ok()) return chosen;
  return MakeModule();
}

absl::Status CudaModel::State::MakeModule() {
  absl::StatusOr<CudaModule> made = CudaModule::Make(stage, *read->source, choice);
  if (!made.ok()) return WithGpuCause(made.status(), gpu.stream);
  module.emplace(*std::move(made));
  own_bytes = read->source->own_bytes();
  // While a graph's memory is allocated libtorch gives nothing back that it keeps for others.
  c10::cuda::CUDACachingAllocator::emptyCache();
  if (!choice.graph && stage.gpu.execution == Execution::kAuto) RunEager(choice.eager_reason);
  return absl::OkStatus();
}

void CudaModel::State::RunEager(std::string reason) {
  choice.graph = false;
  choice.eager_reason = std::move(reason);
  buckets.clear();
  captured.clear();
  Log(absl::StrCat("event=eager stage=", stage.name, " reason=\"", choice.eager_reason, "\""));
}

absl::Status CudaModel::State::Prepare(int rows) {
  if (!choice.graph) return WarmUp(*module, inputs.get(), rows, gpu.stream);
  absl::StatusOr<CapturedBucket> made =
      CaptureBucket(*module, inputs.get(), rows, gpu.pool, gpu.stream);
  if (made.ok()) {
    buckets.insert(buckets.begin(),
                   {rows, InputBlock(stage, rows), Describe(made->outputs, stage)});
    captured.insert(captured.begin(), *std::move(made));
    return absl::OkStatus();
  }
  if (!absl::IsFailedPrecondition(made.status())) return WithGpuCause(made.status(), gpu.stream);
  if (stage.gpu.execution != Execution::kAuto) {
    return CannotBeCaptured(made.status());
  }
  RunEager(std::string(made.status().message()));
  return WarmUp(*module, inputs.get(), rows, gpu.stream);
}

absl::StatusOr<Duration> CudaModel::State::TimeStep(size_t bucket) {
  const auto enqueue = [&]() -> absl::Status {
    if (!choice.graph) return module->Forward(inputs.get(), stage.buckets[bucket]).status();
    return GpuStatus(captured[bucket].graph.Launch(gpu.stream), "time a step");
  };
  const auto wait = [&] { return GpuStatus(cudaStreamSynchronize(gpu.stream), "time a step"); };
  absl::Status status = enqueue();  // the first after another stage's finds its weights elsewhere
  if (status.ok()) status = wait();
  const TimePoint start = Clock::now();
  for (int run = 0; run < kTimedSteps && status.ok(); ++run) status = enqueue();
  if (status.ok()) status = wait();
  if (!status.ok()) return status;
  return (Clock::now() - start) / kTimedSteps;
}

absl::StatusOr<CudaModel> CudaModel::Load(const WorkerStage& stage, std::shared_ptr<ReadStage> read,
                                          const TorchGpu& gpu, const Environment& environment) {
  std::unique_ptr<State> state(new State{
      .stage = stage, .gpu = gpu.state(), .read = std::move(read), .environment = environment});
  const absl::Status status = CatchTorchErrors([&] { return state->Load(); });
  if (!status.ok()) return Labelled(stage, status);
  return CudaModel(std::move(state));
}

absl::Status CudaModel::Rebuild(const GpuChoice& choice) {
  State& state = *state_;
  state.buckets.clear();
  state.captured.clear();
  state.outputs.clear();
  state.module.reset();
  state.choice = choice;
  absl::Status status = CatchTorchErrors([&] { return state.MakeModule(); });
  for (auto rows = state.stage.buckets.rbegin(); status.ok() && rows != state.stage.buckets.rend();
       ++rows) {
    status = state.Prepare(*rows);
  }
  return Labelled(state.stage, status);
}

std::vector<std::vector<GpuChoice>> CudaModel::remedies() const {
  return Remedies(state_->choice, {.multiprocessors = state_->environment.multiprocessors,
                                   .traits = state_->read->source->traits(),
                                   .buckets = state_->stage.buckets,
                                   .options = state_->stage.gpu});
}

UniqueFd CudaModel::ReserveShare() const {
  return state_->environment.cache->Reserve(state_->KeyOfShare());
}

std::optional<GpuChoice> CudaModel::FindOfShare() const {
  const absl::StatusOr<GpuChoice> found = state_->environment.cache->Find(state_->KeyOfShare());
  return found.ok() ? std::optional(*found) : std::nullopt;
}

void CudaModel::KeepForShare(const GpuChoice& choice) {
  if (state_->kept != choice) state_->Keep(state_->KeyOfShare(), choice);
  state_->kept = choice;
}

void CudaModel::Settle(const GpuChoice& choice) {
  KeepForShare(choice);
  state_->choice = choice;
  state_->read.reset();
}

absl::StatusOr<StepTimes> CudaModel::TimeSteps() {
  const absl::StatusOr<Duration> smallest = state_->TimeStep(0);
  if (!smallest.ok()) return smallest.status();
  const absl::StatusOr<Duration> largest = state_->TimeStep(state_->stage.buckets.size() - 1);
  if (!largest.ok()) return largest.status();
  return StepTimes{.smallest = Seconds(*smallest).count(), .largest = Seconds(*largest).count()};
}

absl::StatusOr<std::vector<Duration>> CudaModel::TimeBuckets() {
  std::vector<Duration> times;
  for (size_t bucket = 0; bucket < state_->stage.buckets.size(); ++bucket) {
    const absl::StatusOr<Duration> time = state_->TimeStep(bucket);
    if (!time.ok()) return time.status();
    times.push_back(*time);
  }
  return times;
}

CudaModel::CudaModel(std::unique_ptr<State> state) : state_(std::move(state)) {}
CudaModel::CudaModel(CudaModel&&) noexcept = default;
CudaModel& CudaModel::operator=(CudaModel&&) noexcept = default;
CudaModel::~CudaModel() = default;

const WorkerStage& CudaModel::stage() const { return state_->stage; }
const GpuChoice& CudaModel::choice() const { return state_->choice; }
bool CudaModel::choice_from_cache() const { return state_->from_cache; }
size_t CudaModel::own_bytes() const { return state_->own_bytes; }
std::byte* CudaModel::inputs() const { return state_->inputs.get(); }

absl::Status CudaModel::Prepare(int rows) { return Labelled(state_->stage, state_->Prepare(rows)); }

size_t CudaModel::BucketFor(int rows) const {
  const auto bucket = std::find_if(state_->buckets.begin(), state_->buckets.end(),
                                   [rows](const Bucket& b) { return b.rows >= rows; });
  return static_cast<size_t>(bucket - state_->buckets.begin());
}

const CudaModel::Bucket& CudaModel::bucket(size_t index) const { return state_->buckets[index]; }

cudaError_t CudaModel::Launch(size_t bucket) const {
  return state_->captured[bucket].graph.Launch(state_->gpu.stream);
}

absl::StatusOr<std::vector<CudaModel::Output>> CudaModel::Forward(int rows) {
  absl::StatusOr<std::vector<at::Tensor>> outputs =
      state_->module->Forward(state_->inputs.get(), rows);
  if (!outputs.ok()) return WithGpuCause(outputs.status(), state_->gpu.stream);
  state_->outputs = *std::move(outputs);
  return Describe(state_->outputs, state_->stage);
}

}  // namespace escan
