#include "worker/cuda/captured_graph.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>

#include <utility>

#include "worker/cuda/gpu_status.h"

namespace escan {
namespace {

namespace allocator = c10::cuda::CUDACachingAllocator;

constexpr c10::DeviceIndex kDevice = 0;

using RecordedGraph = GpuResource<cudaGraph_t, &cudaGraphDestroy>;

}  // namespace

GraphPool::GraphPool() : id_(at::cuda::graph_pool_handle()) {
  allocator::createOrIncrefPool(kDevice, id_);
}

GraphPool::~GraphPool() { allocator::releasePool(kDevice, id_); }

GraphPool::Use::Use(const GraphPool& pool, cudaStream_t stream) : id_(pool.id_) {
  allocator::beginAllocateToPool(kDevice, id_,
                                 [stream](cudaStream_t other) { return other == stream; });
}

// Beginning took a reference of its own to the pool.
GraphPool::Use::~Use() {
  allocator::endAllocateToPool(kDevice, id_);
  allocator::releasePool(kDevice, id_);
}

absl::StatusOr<CapturedGraph> CapturedGraph::Capture(cudaStream_t stream,
                                                     const std::function<absl::Status()>& enqueue) {
  // Calls of other threads that would disturb a capture do not concern this one.
  cudaError_t error = cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
  if (error != cudaSuccess) return GpuStatus(error, "begin a capture");
  const absl::Status enqueued = enqueue();
  cudaGraph_t graph = nullptr;
  error = cudaStreamEndCapture(stream, &graph);
  const RecordedGraph recorded(graph);
  // What the failed call left; libtorch would take it for an error of its next one.
  if (error != cudaSuccess || !enqueued.ok()) (void)cudaGetLastError();
  if (absl::IsResourceExhausted(enqueued) || absl::IsAborted(enqueued)) return enqueued;
  if (!enqueued.ok()) return absl::FailedPreconditionError(enqueued.message());
  if (error != cudaSuccess) {
    const absl::Status status = GpuStatus(error, "record it");
    return absl::IsInternal(status) ? absl::FailedPreconditionError(status.message()) : status;
  }
  cudaGraphExec_t executable = nullptr;
  error = cudaGraphInstantiate(&executable, graph, /*flags=*/0);
  if (error != cudaSuccess) return GpuStatus(error, "instantiate a graph");
  CapturedGraph result{Executable(executable)};
  error = cudaGraphUpload(executable, stream);
  if (error != cudaSuccess) return GpuStatus(error, "upload a graph");
  return result;
}

}  // namespace escan
