#include "worker/cuda/cuda_executor.h"

#include <algorithm>
#include <cstring>
#include <future>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/cuda/gpu_device.h"
#include "worker/cuda/gpu_status.h"
#include "worker/cuda/gpu_verification.h"
#include "worker/loop/answer_delivery.h"
#include "worker/loop/row_isolation.h"
#include "worker/loop/stage_tensors.h"

namespace escan {
namespace {

// A kernel writes blocks of this size to the host as fast as anything; larger ones would keep the
// next graph waiting, and are left to a copy engine.
constexpr size_t kDirectBytes = size_t{256} << 10;

absl::Status StepError(const WorkerStage& stage, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(StageLabel(stage), ": ", status.message()));
}

std::vector<int> LargestFirst(std::vector<int> buckets) {
  std::sort(buckets.rbegin(), buckets.rend());
  return buckets;
}

}  // namespace

CudaExecutor::CudaExecutor(Options options, const Slab& slab)
    : options_(std::move(options)), slab_(slab), cache_(CacheFolder(options_.cache)) {}

absl::Status CudaExecutor::Prepare(const Progress& progress) {
  absl::Status status = LoadStages();
  if (status.ok()) status = MakeSteps();
  if (!status.ok()) return status;
  const int total = PreparationSteps(options_.stages);
  int done = 0;
  // Of the first stage that answers wrongly; what the others do is looked at too.
  absl::Status wrong;
  for (Host& host : hosts_) {
    status = PrepareBuckets(host, [&] { progress(done++, total); });
    if (status.ok()) status = Rehearse(host);
    if (status.ok() && options_.probes != nullptr) {
      status = GpuVerification(*this, *options_.probes, *gpu_, multiprocessors_, options_.log)
                   .Run(&host.model, &checks_);
    }
    if (absl::IsDataLoss(status)) {
      wrong.Update(status);
    } else if (!status.ok()) {
      return status;
    }
  }
  if (!wrong.ok()) return wrong;
  registered_probes_.reset();
  UpdateMemory();
  progress(total, total);
  return absl::OkStatus();
}

absl::Status CudaExecutor::InitializeDevice() {
  const absl::StatusOr<GpuFacts> facts = InitializeGpu(options_.gpu);
  if (!facts.ok()) return facts.status();
  multiprocessors_ = facts->multiprocessors;
  absl::StatusOr<TorchGpu> gpu = TorchGpu::Create();
  if (!gpu.ok()) return gpu.status();
  gpu_.emplace(*std::move(gpu));
  key_ = {.device = facts->name, .libraries = gpu_->Libraries()};
  absl::StatusOr<RegisteredSlab> registered = RegisteredSlab::Register(slab_);
  if (!registered.ok()) return registered.status();
  registered_.emplace(*std::move(registered));
  if (options_.probes != nullptr) {
    absl::StatusOr<RegisteredSlab> probes = RegisteredSlab::Register(options_.probes->slab());
    if (!probes.ok()) return probes.status();
    registered_probes_.emplace(*std::move(probes));
  }
  absl::StatusOr<CompletionWaiter> waiter = CompletionWaiter::Create();
  if (!waiter.ok()) return waiter.status();
  waiter_.emplace(*std::move(waiter));
  // Rows wait for the bus; their few blocks go in between those of the graph that runs.
  absl::StatusOr<GpuStream> gather = MakeStream(/*urgent=*/true);
  if (!gather.ok()) return gather.status();
  gather_stream_ = *std::move(gather);
  absl::StatusOr<GpuStream> copy = MakeStream(/*urgent=*/false);
  if (!copy.ok()) return copy.status();
  copy_stream_ = *std::move(copy);
  return absl::OkStatus();
}

absl::Status CudaExecutor::LoadStages() {
  for (const WorkerStage& stage : options_.stages) {
    if (const absl::Status status = CheckScore(stage); !status.ok()) return status;
  }
  // Files are read on the CPU while CUDA starts; all are through before a model
  // runs, which changes settings of the whole process.
  std::vector<std::future<absl::StatusOr<std::shared_ptr<ReadStage>>>> reading;
  for (const WorkerStage& stage : options_.stages) {
    reading.push_back(std::async(std::launch::async, [&stage] { return ReadStageModel(stage); }));
  }
  if (const absl::Status status = InitializeDevice(); !status.ok()) return status;
  std::vector<std::shared_ptr<ReadStage>> models;
  for (auto& stage : reading) {
    absl::StatusOr<std::shared_ptr<ReadStage>> read = stage.get();
    if (!read.ok()) return read.status();
    models.push_back(*std::move(read));
  }
  const CudaModel::Environment environment = {.key = key_,
                                              .multiprocessors = multiprocessors_,
                                              .probes = options_.probes,
                                              .cache = &cache_,
                                              .log = options_.log};
  host_of_.fill(options_.stages.size());
  for (size_t i = 0; i < options_.stages.size(); ++i) {
    const absl::Status status = LoadStage(i, std::move(models[i]), environment);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CudaExecutor::LoadStage(size_t index, std::shared_ptr<ReadStage> read,
                                     const CudaModel::Environment& environment) {
  const WorkerStage& stage = options_.stages[index];
  absl::StatusOr<CudaModel> model = CudaModel::Load(stage, std::move(read), *gpu_, environment);
  if (!model.ok()) return model.status();
  own_bytes_ += InputBlock(stage, LargestBucket(stage)).bytes + model->own_bytes();
  Host& host = hosts_.emplace_back(Host{.model = *std::move(model)});
  for (int rows = 0; rows <= LargestBucket(stage); ++rows) {
    host.output_blocks.push_back(OutputBlock(stage, rows));
  }
  host.estimates.resize(stage.buckets.size());
  host_of_[static_cast<size_t>(stage.index)] = index;
  UpdateMemory();
  return absl::OkStatus();
}

absl::Status CudaExecutor::MakeSteps() {
  size_t input_bytes = 0;
  size_t output_bytes = 0;
  size_t tensors = 0;
  for (const Host& host : hosts_) {
    const WorkerStage& stage = host.model.stage();
    input_bytes = std::max(input_bytes, InputBlock(stage, LargestBucket(stage)).bytes);
    output_bytes = std::max(output_bytes, host.output_blocks.back().bytes);
    tensors = std::max({tensors, stage.inputs.size(), stage.outputs.size()});
  }
  for (int credit = 0; credit < options_.credits; ++credit) {
    const absl::Status status = MakeStep(input_bytes, output_bytes, tensors);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CudaExecutor::MakeStep(size_t input_bytes, size_t output_bytes, size_t tensors) {
  Step step;
  for (GpuEvent* event : {&step.gathered, &step.packed, &step.done}) {
    absl::StatusOr<GpuEvent> made = MakeEvent();
    if (!made.ok()) return made.status();
    *event = *std::move(made);
  }
  const auto allocate = [this](size_t bytes, DeviceMemory* memory) {
    absl::StatusOr<DeviceMemory> made = AllocateDevice(bytes);
    if (!made.ok()) return made.status();
    own_bytes_ += bytes;
    *memory = *std::move(made);
    return absl::OkStatus();
  };
  absl::Status status;
  if (options_.credits > 1) status = allocate(input_bytes, &step.inputs);
  if (status.ok() && output_bytes > kDirectBytes) status = allocate(output_bytes, &step.outputs);
  if (!status.ok()) return status;
  absl::StatusOr<PinnedMemory> answer = AllocatePinned(output_bytes);
  if (!answer.ok()) return answer.status();
  step.answer = *std::move(answer);
  step.gather.reserve(tensors);
  step.pack.reserve(tensors);
  steps_.push_back(std::move(step));
  return absl::OkStatus();
}

absl::Status CudaExecutor::PrepareBuckets(Host& host, const std::function<void()>& on_step) {
  const WorkerStage& stage = host.model.stage();
  const size_t before = gpu_->memory_bytes();
  for (const int rows : LargestFirst(stage.buckets)) {
    on_step();
    if (const absl::Status status = host.model.Prepare(rows); !status.ok()) return status;
  }
  UpdateMemory();
  const GpuChoice& choice = host.model.choice();
  options_.log(absl::StrCat(
      "event=loaded stage=", stage.name, " variant=", Name(choice.variant),
      " precision=", std::string(Name(stage.gpu.precision)),
      " layout=", choice.variant.channels_last ? "channels_last" : "contiguous", " benchmarked=",
      absl::StrJoin(choice.benchmarked, ","), " execution=", choice.graph ? "graph" : "eager",
      " chosen_by=", host.model.choice_from_cache() ? "cache" : "trying",
      " graph_bytes=", gpu_->memory_bytes() - before, " device_bytes=", memory_bytes_.load()));
  return absl::OkStatus();
}

// What a step's kernels need is loaded now, and what cannot run fails now. The row is made of
// zeros, and nobody's.
absl::Status CudaExecutor::Rehearse(Host& host) {
  CudaModel& model = host.model;
  const bool graph = model.choice().graph;
  const size_t bucket = graph ? model.BucketFor(1) : 0;
  const int rows = graph ? model.bucket(bucket).rows : 1;
  Step& step = steps_.front();
  step.host = &host;
  cudaError_t error = GatherInto(step, model.inputs(), InputBlock(model.stage(), rows),
                                 /*slots=*/{}, rows, gpu_->stream());
  if (error == cudaSuccess && graph) error = model.Launch(bucket);
  if (error != cudaSuccess) return StepError(model.stage(), GpuStatus(error, "rehearse a step"));
  absl::StatusOr<std::vector<CudaModel::Output>> outputs =
      graph ? model.bucket(bucket).outputs : model.Forward(rows);
  if (!outputs.ok()) return outputs.status();
  error = Pack(step, *outputs, /*rows=*/1);
  if (error != cudaSuccess) return StepError(model.stage(), GpuStatus(error, "rehearse a step"));
  const absl::StatusOr<WaitEnd> end = waiter_->Await(step.done.get(), Clock::now(), /*fd=*/-1);
  return StepError(model.stage(), end.status());
}

absl::Status CudaExecutor::Start(const StageBatch& batch) {
  const size_t index = host_of_[static_cast<size_t>(batch.stage)];
  if (index == hosts_.size()) {
    return absl::InvalidArgumentError(absl::StrCat("stage ", batch.stage, " is not hosted here"));
  }
  Step& step = steps_[started_ % steps_.size()];
  step.host = &hosts_[index];
  step.batch = batch;
  step.started = Clock::now();
  step.finished.reset();
  ++started_;
  const CudaModel& model = step.host->model;
  if (!model.choice().graph) return absl::OkStatus();
  const int rows = static_cast<int>(batch.slots.size());
  step.bucket = model.BucketFor(rows);
  cudaError_t error = Gather(step);
  if (error == cudaSuccess) error = model.Launch(step.bucket);
  if (error == cudaSuccess) error = Pack(step, model.bucket(step.bucket).outputs, rows);
  return StepError(model.stage(), GpuStatus(error, "enqueue a batch"));
}

// With one credit nothing reads or writes the graph's inputs now. With more, another graph may: the
// rows come to memory of the step's own, which was last read before its last batch finished.
cudaError_t CudaExecutor::Gather(Step& step) {
  const CudaModel& model = step.host->model;
  const CudaModel::Bucket& bucket = model.bucket(step.bucket);
  const cudaStream_t compute = gpu_->stream();
  if (steps_.size() == 1) {
    return GatherInto(step, model.inputs(), bucket.inputs, step.batch.slots, bucket.rows, compute);
  }
  cudaError_t error = GatherInto(step, step.inputs.get(), bucket.inputs, step.batch.slots,
                                 bucket.rows, gather_stream_.get());
  if (error == cudaSuccess) error = cudaEventRecord(step.gathered.get(), gather_stream_.get());
  if (error == cudaSuccess) error = cudaStreamWaitEvent(compute, step.gathered.get());
  if (error != cudaSuccess) return error;
  return cudaMemcpyAsync(model.inputs(), step.inputs.get(), bucket.inputs.bytes,
                         cudaMemcpyDeviceToDevice, compute);
}

cudaError_t CudaExecutor::GatherInto(Step& step, std::byte* inputs, const BlockLayout& layout,
                                     std::span<const SlotId> slots, int bucket,
                                     cudaStream_t stream) {
  const WorkerStage& stage = step.host->model.stage();
  step.gather.clear();
  for (size_t i = 0; i < stage.inputs.size(); ++i) {
    step.gather.push_back({.offset = stage.inputs[i].offset,
                           .row_bytes = static_cast<uint32_t>(RowBytes(stage.inputs[i])),
                           .target = inputs + layout.offsets[i]});
  }
  const bool probing = step.batch.purpose == BatchPurpose::kProbe;
  return LaunchGather((probing ? registered_probes_ : registered_)->slots(), slots, bucket,
                      step.gather, stream);
}

const Slab& CudaExecutor::SlabOf(const StageBatch& batch) const {
  return batch.purpose == BatchPurpose::kProbe ? options_.probes->slab() : slab_;
}

cudaError_t CudaExecutor::Pack(Step& step, const std::vector<CudaModel::Output>& outputs,
                               int rows) {
  const WorkerStage& stage = step.host->model.stage();
  const BlockLayout& block = step.host->output_blocks[static_cast<size_t>(rows)];
  const bool direct = block.bytes <= kDirectBytes;
  std::byte* target = direct ? step.answer.get() : step.outputs.get();
  step.pack.clear();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const SlabTensor& output = stage.outputs[i];
    step.pack.push_back(
        {.source = outputs[i].data,
         .target = target + block.offsets[i + 1],
         .elements = static_cast<uint32_t>(RowBytes(output) / ByteSize(output.datatype)),
         .conversion = outputs[i].conversion});
  }
  const ScoreRule rule = {.score = stage.score,
                          .output = stage.score_output,
                          .target = reinterpret_cast<float*>(target + block.offsets[0])};
  const cudaStream_t compute = gpu_->stream();
  cudaError_t error = LaunchPackAndScore(step.pack, rule, rows, compute);
  if (error != cudaSuccess || direct) {
    return error != cudaSuccess ? error : cudaEventRecord(step.done.get(), compute);
  }
  error = cudaEventRecord(step.packed.get(), compute);
  if (error == cudaSuccess) error = cudaStreamWaitEvent(copy_stream_.get(), step.packed.get());
  if (error == cudaSuccess) {
    error = cudaMemcpyAsync(step.answer.get(), target, block.bytes, cudaMemcpyDeviceToHost,
                            copy_stream_.get());
  }
  return error != cudaSuccess ? error : cudaEventRecord(step.done.get(), copy_stream_.get());
}

absl::Status CudaExecutor::Await(Step& step, int fd) {
  if (step.finished) return absl::OkStatus();
  // A batch begins when it is given and the one before it is done.
  const TimePoint began = std::max(step.started, last_finish_);
  CompletionEstimate& estimate = step.host->estimates[step.bucket];
  const absl::StatusOr<WaitEnd> end =
      waiter_->Await(step.done.get(), began + estimate.expected(), fd);
  if (!end.ok()) return end.status();
  if (*end == WaitEnd::kReadable) return absl::OkStatus();
  step.finished = last_finish_ = Clock::now();
  const Duration took = last_finish_ - began;
  // One that began when nobody looked took longer.
  const bool saw_begin = saw_last_finish_ || began == step.started;
  saw_last_finish_ = *end == WaitEnd::kDone;
  if (*end == WaitEnd::kDoneLate) estimate.ObserveLate(took);
  if (*end == WaitEnd::kDone && (saw_begin || took > estimate.expected())) estimate.Observe(took);
  return absl::OkStatus();
}

void CudaExecutor::AwaitDoneOrReadable(int fd) {
  if (started_ == finished_) return;
  Step& step = Oldest();
  if (!step.host->model.choice().graph) return;  // the work is Finish()'s
  Await(step, fd).IgnoreError();                 // which meets the same error
}

absl::Status CudaExecutor::Finish(std::span<RowResult> results, std::string* first_failure) {
  Step& step = Oldest();
  const CudaModel& model = step.host->model;
  absl::Status status;
  if (model.choice().graph) {
    status = Await(step, /*fd=*/-1);
    if (status.ok()) *first_failure = Deliver(step, step.batch, results);
  } else {
    std::string first_difference;
    *first_failure = RunIsolatingFailures(results, [&](size_t first, size_t count) {
      // Once the executor cannot go on no part of the batch does.
      if (!status.ok()) return status;
      StageBatch part = step.batch;
      part.slots = part.slots.subspan(first, count);
      const absl::Status ran =
          RunEager(step, part, results.subspan(first, count), &first_difference);
      if (absl::IsAborted(ran)) status = ran;
      return ran;
    });
    if (first_failure->empty()) *first_failure = std::move(first_difference);
  }
  ++finished_;
  return StepError(model.stage(), status);
}

absl::Status CudaExecutor::RunEager(Step& step, const StageBatch& part,
                                    std::span<RowResult> results, std::string* first_difference) {
  CudaModel& model = step.host->model;
  const int rows = static_cast<int>(part.slots.size());
  const cudaStream_t compute = gpu_->stream();
  cudaError_t error =
      GatherInto(step, model.inputs(), InputBlock(model.stage(), rows), part.slots, rows, compute);
  if (error != cudaSuccess) return GpuStatus(error, "gather a batch");
  const absl::StatusOr<std::vector<CudaModel::Output>> outputs = model.Forward(rows);
  if (!outputs.ok()) return outputs.status();
  error = Pack(step, *outputs, rows);
  if (error != cudaSuccess) return GpuStatus(error, "enqueue a batch");
  const absl::StatusOr<WaitEnd> end = waiter_->Await(step.done.get(), Clock::now(), /*fd=*/-1);
  if (!end.ok()) return end.status();
  const std::string difference = Deliver(step, part, results);
  if (first_difference->empty()) *first_difference = difference;
  return absl::OkStatus();
}

std::string CudaExecutor::Deliver(Step& step, const StageBatch& part,
                                  std::span<RowResult> results) {
  const WorkerStage& stage = step.host->model.stage();
  const BlockLayout& block = step.host->output_blocks[part.slots.size()];
  step.answers.clear();
  for (size_t i = 0; i < stage.outputs.size(); ++i) {
    step.answers.push_back(step.answer.get() + block.offsets[i + 1]);
  }
  const auto* scores = reinterpret_cast<const float*>(step.answer.get() + block.offsets[0]);
  return DeliverAnswer(stage, part.purpose, SlabOf(part), part.slots,
                       {step.answers, {scores, results.size()}}, results);
}

void CudaExecutor::UpdateMemory() { memory_bytes_ = gpu_->memory_bytes() + own_bytes_; }

StageExecutor::GpuUse CudaExecutor::gpu_use() const {
  return {.multiprocessors = multiprocessors_, .memory_bytes = memory_bytes_};
}

}  // namespace escan
