#pragma once

#include <c10/core/Device.h>

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "ipc/worker_spec.h"
#include "worker/cuda/gpu_choice.h"
#include "worker/files/model_file.h"
#include "worker/torch/tensor_function.h"

namespace escan {

inline const c10::Device kGpu(c10::kCUDA, 0);

// Whether the stage is computed in FP16.
bool IsHalf(const WorkerStage& stage, const GpuChoice& choice);

// A stage's model as read from its file, of whatever format, from which the functions are made that
// compute it on the GPU. Used by one thread at a time.
class GpuSource {
 public:
  // Does not need the GPU. No error names the stage or the file.
  static absl::StatusOr<std::unique_ptr<GpuSource>> Read(const WorkerStage& stage, ModelFile file);
  virtual ~GpuSource() = default;

  // The model as the choice says, on the GPU. A package's functions are one and the same: the
  // choice says how the libraries that it calls compute.
  virtual absl::StatusOr<SharedFunction> Make(const WorkerStage& stage,
                                              const GpuChoice& choice) = 0;
  virtual ModelTraits traits() const = 0;
  // Bytes of the GPU's memory that what was made holds and libtorch's allocator does not know of.
  virtual size_t own_bytes() const { return 0; }
};

}  // namespace escan
