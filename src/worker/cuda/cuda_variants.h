#pragma once

#include <c10/cuda/CUDAStream.h>

#include <cstddef>

#include "absl/status/statusor.h"
#include "ipc/worker_spec.h"
#include "worker/cuda/gpu_source.h"
#include "worker/cuda/variant_cache.h"

namespace escan {

// Finds by trying which variant of a model is the fastest at the smallest and the largest
// bucket, at which buckets cuDNN is to measure, and whether the model can be captured. `inputs` is
// memory of the GPU for the largest bucket's InputBlock(). Blocks for seconds; takes up to twice
// the stage's memory, and gives it back. FailedPrecondition when the stage wants a graph and the
// model cannot be captured; else an error of the first variant, which is the model as it is.
absl::StatusOr<GpuChoice> ChooseVariant(const WorkerStage& stage, GpuSource& source,
                                        std::byte* inputs, c10::cuda::CUDAStream stream);

}  // namespace escan
