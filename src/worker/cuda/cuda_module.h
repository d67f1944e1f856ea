#pragma once

#include <cuda_runtime_api.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc/worker_spec.h"
#include "worker/cuda/captured_graph.h"
#include "worker/cuda/gpu_choice.h"
#include "worker/cuda/gpu_source.h"
#include "worker/torch/tensor_function.h"

namespace escan {

// What became of calling libtorch with work for `stream`, which is not being captured: an error
// whose cause is the device's state or want of its memory gets the code that GpuStatus() gives it.
absl::Status WithGpuCause(const absl::Status& status, cudaStream_t stream);

// A stage's model on the GPU, computed as a choice says. All work goes to the thread's current
// CUDA stream. Lets no exception out. Used by one thread at a time.
class CudaModule {
 public:
  // For batches of `choice.benchmarked` rows cuDNN measures its algorithms, for others it guesses.
  static absl::StatusOr<CudaModule> Make(const WorkerStage& stage, GpuSource& source,
                                         const GpuChoice& choice);

  const WorkerStage& stage() const { return stage_; }

  // Enqueues the computation of `rows` rows, whose inputs lie in the GPU's memory as InputBlock()
  // says. The outputs are contiguous, on the GPU, and as CheckOutputs() wants them. An error is the
  // model's own, or names the output that is not what the stage declares.
  absl::StatusOr<std::vector<at::Tensor>> Forward(std::byte* inputs, int rows) const;

 private:
  CudaModule(const WorkerStage& stage, SharedFunction function, GpuChoice choice)
      : stage_(stage), function_(std::move(function)), choice_(std::move(choice)) {}

  WorkerStage stage_;
  SharedFunction function_;
  GpuChoice choice_;
};

// One bucket of a stage, captured.
struct CapturedBucket {
  int rows = 0;
  CapturedGraph graph;
  std::vector<at::Tensor> outputs;  // of the last launch
};

// Runs the module with `rows` rows of zeros until everything for this shape is there. The error
// names the inputs.
absl::Status WarmUp(const CudaModule& module, std::byte* inputs, int rows, cudaStream_t stream);

// Warms up and captures, all in the pool's memory, and runs the graph once. FailedPrecondition,
// with the reason, when the model cannot be captured.
absl::StatusOr<CapturedBucket> CaptureBucket(const CudaModule& module, std::byte* inputs, int rows,
                                             const GraphPool& pool, cudaStream_t stream);

}  // namespace escan
