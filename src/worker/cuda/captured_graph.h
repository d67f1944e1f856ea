#pragma once

#include <c10/core/Allocator.h>
#include <c10/cuda/CUDAGraphsC10Utils.h>
#include <cuda_runtime_api.h>

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/cuda/gpu_memory.h"

namespace escan {

// GPU memory that graphs compute in. Graphs that use one pool take as much together as the largest
// of them: they must run one after another, on one stream, and what one returned is gone once
// another runs. Of device 0; outlives its graphs. Used by one thread.
class GraphPool {
 public:
  GraphPool();
  ~GraphPool();
  GraphPool(const GraphPool&) = delete;
  GraphPool& operator=(const GraphPool&) = delete;

  // While it lives, what libtorch allocates on `stream` comes from the pool.
  class Use {
   public:
    Use(const GraphPool& pool, cudaStream_t stream);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    const c10::MempoolId_t id_;
  };

 private:
  const c10::MempoolId_t id_;
};

// What a function enqueued on a stream, to be launched again at the cost of one call.
class CapturedGraph {
 public:
  // Calls `enqueue`, whose work is recorded and not done. FailedPrecondition, with the reason, when
  // it does what cannot be recorded, such as waiting for a value; ResourceExhausted for want of
  // memory.
  static absl::StatusOr<CapturedGraph> Capture(cudaStream_t stream,
                                               const std::function<absl::Status()>& enqueue);

  cudaError_t Launch(cudaStream_t stream) const { return cudaGraphLaunch(graph_.get(), stream); }

 private:
  using Executable = GpuResource<cudaGraphExec_t, &cudaGraphExecDestroy>;
  explicit CapturedGraph(Executable graph) : graph_(std::move(graph)) {}

  Executable graph_;
};

}  // namespace escan
