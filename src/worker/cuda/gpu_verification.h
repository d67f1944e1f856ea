#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "escan/stage_executor.h"
#include "worker/cuda/cuda_model.h"
#include "worker/cuda/torch_gpu.h"
#include "worker/verification/probes.h"

namespace escan {

// Compares what a prepared stage answers, at the share that this process has, with what is right,
// and where it is wrong finds another way to compute the stage. Asks the executor that hosts it, so
// that all is checked that serves: gathering, the graph or the operations, packing and scoring.
// Used by the executor's thread.
class GpuVerification {
 public:
  using Log = std::function<void(const std::string& fields)>;
  // All outlive this. `multiprocessors`: those that this process sees.
  GpuVerification(StageExecutor& executor, const Probes& probes, const TorchGpu& gpu,
                  int multiprocessors, const Log& log)
      : executor_(executor),
        probes_(probes),
        gpu_(gpu),
        multiprocessors_(multiprocessors),
        log_(log) {}

  // Settles the model's choice and adds a check for each bucket. Blocks: for some launches where
  // the answers are right, for seconds where a remedy has to be found. DataLoss when there is none.
  absl::Status Run(CudaModel* model, std::vector<BucketCheck>* checks);

 private:
  class Trials;

  absl::StatusOr<GpuChoice> FindRightChoice(CudaModel* model);
  // That of a worker with an equal share, or one that is searched and kept for those.
  absl::StatusOr<GpuChoice> Remedy(CudaModel* model, const std::string& wrong);
  absl::StatusOr<GpuChoice> FindRemedy(CudaModel* model, const std::string& wrong);
  // What is wrong with the model's answers, prepared so; empty: nothing.
  absl::StatusOr<std::string> Rebuild(CudaModel* model, const GpuChoice& choice);
  // At any bucket; empty: nothing.
  absl::StatusOr<std::string> WhatIsWrong(const CudaModel& model);

  StageExecutor& executor_;
  const Probes& probes_;
  const TorchGpu& gpu_;
  const int multiprocessors_;
  const Log& log_;
};

}  // namespace escan
