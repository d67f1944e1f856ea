#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "escan/stage_executor.h"
#include "ipc/slab.h"
#include "ipc/worker_spec.h"
#include "worker/torch/torch_model.h"

namespace escan {

// Runs stages with a model on the CPU, in Finish(): a batch's rows are gathered from their slots
// into the model's inputs, computed at their exact number, and the outputs copied back. Rows on
// which a model throws, or for which it returns other tensors than declared, are found by halving
// the batch, and fail alone.
class TorchExecutor : public StageExecutor {
 public:
  // Told once a stage is loaded which way to run its model was kept.
  using OnLoaded = std::function<void(const WorkerStage& stage, const std::string& variant)>;

  // `slab` must outlive the executor, `probes`, where there are some, Prepare().
  TorchExecutor(std::vector<WorkerStage> stages, const Slab& slab, const Probes* probes,
                VariantChoices choices, OnLoaded on_loaded);

  absl::Status Prepare(const Progress& progress) override;
  absl::Status Start(const StageBatch& batch) override;
  absl::Status Finish(std::span<RowResult> results, std::string* first_failure) override;
  std::vector<BucketCheck> checks() const override { return checks_; }

 private:
  absl::Status Run(TorchModel& model, const StageBatch& batch, std::span<RowResult> results,
                   std::string* first_difference);

  std::vector<WorkerStage> stages_;
  const Slab& slab_;
  const Probes* const probes_;
  const VariantChoices choices_;
  OnLoaded on_loaded_;
  std::vector<TorchModel> models_;  // one a stage, once prepared
  std::vector<BucketCheck> checks_;
  std::deque<StageBatch> batches_;
};

}  // namespace escan
