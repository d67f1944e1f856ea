#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "escan/stage_executor.h"
#include "escan/time.h"
#include "ipc/slab.h"
#include "ipc/worker_spec.h"
#include "worker/cuda/completion_estimate.h"
#include "worker/cuda/completion_waiter.h"
#include "worker/cuda/cuda_model.h"
#include "worker/cuda/gpu_memory.h"
#include "worker/cuda/torch_gpu.h"
#include "worker/verification/probes.h"

namespace escan {

// Runs stages with a model on the only GPU that the process sees, device 0. One executor in a
// process.
//
// A step of a stage that was captured is enqueued in Start(): a kernel gathers the rows from the
// slots, over PCIe, into the inputs of the smallest bucket that holds them; the bucket's graph
// runs; a kernel converts the outputs, scores the rows and leaves both in pinned memory, from where
// Finish() copies them into the slots. The device reads the slots and never writes them. With more
// than one credit the rows of the next batch are gathered, on a stream of their own and into memory
// of their own, while the graph before runs. Nothing is allocated and no lock taken in a step.
//
// A step of an eager stage runs in Finish(), at its exact rows; rows on which the model throws are
// found by halving the batch, and fail alone.
//
// An Aborted error is the device's: then the process must end without destroying the executor.
class CudaExecutor : public StageExecutor {
 public:
  struct Options {
    std::vector<WorkerStage> stages;
    int credits = 1;
    std::string gpu;    // UUID of the device that is expected; empty: any
    std::string cache;  // folder of choices; empty: none
    // Rows to check each stage with before it is ready; null: none is checked. Outlives Prepare().
    const Probes* probes = nullptr;
    // Told what becomes of the stages, as fields of a log line.
    std::function<void(const std::string& fields)> log;
  };
  // `slab` must outlive the executor.
  CudaExecutor(Options options, const Slab& slab);

  absl::Status Prepare(const Progress& progress) override;
  absl::Status Start(const StageBatch& batch) override;
  void AwaitDoneOrReadable(int fd) override;
  absl::Status Finish(std::span<RowResult> results, std::string* first_failure) override;
  std::vector<BucketCheck> checks() const override { return checks_; }

  // The multiprocessors of this process's share; what libtorch and the executor hold of the
  // device's memory, without CUDA's own context and kernels (some hundred MB).
  GpuUse gpu_use() const override;

  // Of a prepared stage, by its index in the cascade; for benchmarks.
  const CudaModel& model(int stage) const { return hosts_[host_of_[stage]].model; }

 private:
  struct Host {
    CudaModel model;
    std::vector<BlockLayout> output_blocks;     // by number of rows
    std::vector<CompletionEstimate> estimates;  // by bucket
  };

  // A batch on its way, and the memory that it uses on it; one a credit.
  struct Step {
    GpuEvent gathered;
    GpuEvent packed;
    GpuEvent done;
    DeviceMemory inputs;   // with more than one credit
    DeviceMemory outputs;  // for blocks that are not written to `answer` at once
    PinnedMemory answer;   // OutputBlock()
    std::vector<GatherInput> gather;
    std::vector<PackOutput> pack;
    std::vector<const std::byte*> answers;  // where in `answer` each output's rows begin

    Host* host = nullptr;
    StageBatch batch;
    size_t bucket = 0;  // captured stages only
    TimePoint started;
    std::optional<TimePoint> finished;  // once it is known to be done
  };

  absl::Status InitializeDevice();
  absl::Status LoadStages();
  absl::Status LoadStage(size_t index, std::shared_ptr<ReadStage> read,
                         const CudaModel::Environment& environment);
  absl::Status MakeSteps();
  absl::Status MakeStep(size_t input_bytes, size_t output_bytes, size_t tensors);
  absl::Status Rehearse(Host& host);
  absl::Status PrepareBuckets(Host& host, const std::function<void()>& on_step);

  // Parts of a step; all enqueue.
  cudaError_t Gather(Step& step);
  cudaError_t GatherInto(Step& step, std::byte* inputs, const BlockLayout& layout,
                         std::span<const SlotId> slots, int bucket, cudaStream_t stream);
  const Slab& SlabOf(const StageBatch& batch) const;
  cudaError_t Pack(Step& step, const std::vector<CudaModel::Output>& outputs, int rows);

  Step& Oldest() { return steps_[finished_ % steps_.size()]; }
  // Returns when the step is done, or `fd` is readable.
  absl::Status Await(Step& step, int fd);
  absl::Status RunEager(Step& step, const StageBatch& part, std::span<RowResult> results,
                        std::string* first_difference);
  std::string Deliver(Step& step, const StageBatch& part, std::span<RowResult> results);
  void UpdateMemory();

  const Options options_;
  const Slab& slab_;
  const VariantCache cache_;
  GpuChoiceKey key_;
  std::optional<RegisteredSlab> registered_;
  std::optional<RegisteredSlab> registered_probes_;  // while stages are prepared
  std::vector<BucketCheck> checks_;
  std::optional<TorchGpu> gpu_;
  std::optional<CompletionWaiter> waiter_;
  GpuStream gather_stream_;
  GpuStream copy_stream_;
  std::vector<Host> hosts_;
  std::array<size_t, kMaxStages> host_of_{};  // by index in the cascade; hosts_.size(): none
  std::vector<Step> steps_;
  uint64_t started_ = 0;   // batches
  uint64_t finished_ = 0;  // batches
  TimePoint last_finish_;
  bool saw_last_finish_ = false;  // when it happened, not later
  size_t own_bytes_ = 0;          // of the device's memory, besides libtorch's
  std::atomic<int> multiprocessors_ = 0;
  std::atomic<size_t> memory_bytes_ = 0;
};

}  // namespace escan
