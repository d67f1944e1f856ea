#pragma once

#include <deque>
#include <vector>

#include "escan/stage_executor.h"
#include "ipc/slab.h"
#include "ipc/worker_spec.h"

namespace escan {

// Answers every batch at once with outputs of zeros and, where the stage is scored, the score 0: it
// measures everything around a model. Never fails a row.
class NullExecutor : public StageExecutor {
 public:
  // `slab` must outlive the executor.
  NullExecutor(std::vector<WorkerStage> stages, const Slab& slab);

  absl::Status Prepare(const Progress& progress) override;
  absl::Status Start(const StageBatch& batch) override;
  absl::Status Finish(std::span<RowResult> results, std::string* first_failure) override;

 private:
  const std::vector<WorkerStage> stages_;
  const Slab& slab_;
  std::vector<std::byte> zeros_;  // as many as the largest output of the largest batch has
  std::deque<StageBatch> batches_;
  // Of the batch that was finished last.
  std::vector<const std::byte*> outputs_;
  std::vector<float> scores_;
};

}  // namespace escan
