#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "escan/stage_executor.h"
#include "ipc/slab.h"
#include "ipc/worker_spec.h"
#include "stage_worker/torch_model.h"

namespace escan {

// Runs TorchScript stages on the CPU, in Finish(): a batch's rows are gathered from their slots
// into the model's inputs, computed at their exact number, and the outputs copied back. Rows on
// which a model throws, or for which it returns other tensors than declared, are found by halving
// the batch, and fail alone.
class TorchExecutor : public StageExecutor {
 public:
  // Told once a stage is loaded which variant of its module was kept.
  using OnLoaded = std::function<void(const WorkerStage& stage, const std::string& variant)>;

  // `slab` must outlive the executor.
  TorchExecutor(std::vector<WorkerStage> stages, const Slab& slab, OnLoaded on_loaded);

  absl::Status Prepare(const Progress& progress) override;
  absl::Status Start(const StageBatch& batch) override;
  absl::Status Finish(std::span<RowResult> results, std::string* first_failure) override;

 private:
  // Runs a part of a batch. `difference` becomes what DeliverAnswer() says, unless there is one.
  absl::Status Run(TorchModel& model, BatchPurpose purpose, std::span<const SlotId> slots,
                   std::span<RowResult> results, std::string* difference);

  std::vector<WorkerStage> stages_;
  const Slab& slab_;
  OnLoaded on_loaded_;
  std::vector<TorchModel> models_;  // one a stage, once prepared
  // Of the rows that were computed last.
  std::vector<const std::byte*> outputs_;
  std::vector<float> scores_;
  std::deque<StageBatch> batches_;
};

}  // namespace escan
