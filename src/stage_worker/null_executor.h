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
  struct Region {
    size_t offset = 0;
    size_t bytes = 0;
  };
  struct Stage {
    int index = 0;
    float score = 0;
    std::vector<Region> outputs;
  };

  const Slab& slab_;
  int steps_ = 0;
  std::vector<Stage> stages_;
  std::deque<StageBatch> batches_;
};

}  // namespace escan
