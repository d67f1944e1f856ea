#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "escan/time.h"
#include "ipc/unique_fd.h"
#include "ipc/worker_spec.h"
#include "worker/cuda/gpu_kernels.h"
#include "worker/cuda/packed_block.h"
#include "worker/cuda/torch_gpu.h"
#include "worker/cuda/variant_cache.h"
#include "worker/verification/probes.h"

namespace escan {

// A stage's model as read from its file, not on the GPU yet.
struct ReadStage;

// Reads, without the GPU; any thread. The error names the stage and the file.
absl::StatusOr<std::shared_ptr<ReadStage>> ReadStageModel(const WorkerStage& stage);

// A stage on the GPU: memory for the inputs of one batch, and a graph for each prepared bucket or,
// where it runs eager, its function. Includes no header of libtorch and lets none of its exceptions
// out. Used by the thread of its TorchGpu, which outlives it. Errors name the stage and the file:
// Aborted for a device fault, ResourceExhausted for want of the GPU's memory.
class CudaModel {
 public:
  // Where choices are kept, and whom a change of mind, or of the cache, is told.
  struct Environment {
    GpuChoiceKey key;                // all but what is the stage's own, for no share
    int multiprocessors = 0;         // that this process sees
    const Probes* probes = nullptr;  // that answers are checked with; null: none
    const VariantCache* cache = nullptr;
    std::function<void(const std::string& fields)> log;
  };
  // Takes the choice of an earlier start from the cache, one that was checked at this share before
  // any other, or finds one by trying, which is kept.
  static absl::StatusOr<CudaModel> Load(const WorkerStage& stage, std::shared_ptr<ReadStage> read,
                                        const TorchGpu& gpu, const Environment& environment);

  CudaModel(CudaModel&&) noexcept;
  CudaModel& operator=(CudaModel&&) noexcept;
  ~CudaModel();

  const WorkerStage& stage() const;
  const GpuChoice& choice() const;
  bool choice_from_cache() const;
  // Of the GPU's memory, beside what libtorch holds and the inputs.
  size_t own_bytes() const;

  // Makes ready for batches of up to `rows` rows, one of the stage's buckets: call from the largest
  // to the smallest. A model that cannot be captured after all becomes eager where it may.
  absl::Status Prepare(int rows);

  // Prepares all buckets anew, as `choice` says.
  absl::Status Rebuild(const GpuChoice& choice);
  // Has remedies, in tiers, for a choice that answers wrongly. See Remedies().
  std::vector<std::vector<GpuChoice>> remedies() const;
  // Waits until no other worker searches a choice for a share like this one's; see
  // CacheFolder::Reserve.
  UniqueFd ReserveShare() const;
  // What a search for such a share has found, nullopt where there was none.
  std::optional<GpuChoice> FindOfShare() const;
  void KeepForShare(const GpuChoice& choice);
  // Of what is prepared the answers are known at this share: `choice` is kept for later starts, and
  // nothing can be rebuilt from now on.
  void Settle(const GpuChoice& choice);

  // An output, [rows, elements] in the GPU's memory, and what makes it the declared datatype.
  struct Output {
    const void* data = nullptr;
    Conversion conversion = Conversion::kCopy4;
  };

  // One prepared bucket of a stage that runs as graphs.
  struct Bucket {
    int rows = 0;
    BlockLayout inputs;
    std::vector<Output> outputs;
  };
  // Index of the smallest prepared bucket with room for `rows` rows.
  size_t BucketFor(int rows) const;
  const Bucket& bucket(size_t index) const;

  // The memory that graphs and Forward() read the inputs from, as InputBlock() says.
  std::byte* inputs() const;

  // Enqueues the bucket's graph: no lock, no allocation. What it returns is there until the next
  // graph, of any stage, runs.
  cudaError_t Launch(size_t bucket) const;

  // Of one step at the smallest and the largest bucket; blocks.
  absl::StatusOr<StepTimes> TimeSteps();
  // Of each of the stage's buckets.
  absl::StatusOr<std::vector<Duration>> TimeBuckets();

  // Enqueues the computation of so many rows, operation by operation. What it returned is there
  // until the next call. The message of an error is the model's own.
  absl::StatusOr<std::vector<Output>> Forward(int rows);

 private:
  struct State;
  explicit CudaModel(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace escan
