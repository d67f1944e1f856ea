#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "escan/stage_executor.h"
#include "ipc/worker_spec.h"

namespace escan {

// Joins executors of several kinds in one worker: each stage is run by the part that hosts it.
class CompositeExecutor : public StageExecutor {
 public:
  struct Part {
    std::vector<WorkerStage> stages;
    std::unique_ptr<StageExecutor> executor;
  };
  explicit CompositeExecutor(std::vector<Part> parts);

  absl::Status Prepare(const Progress& progress) override;
  absl::Status Start(const StageBatch& batch) override;
  void AwaitDoneOrReadable(int fd) override;
  absl::Status Finish(std::span<RowResult> results, std::string* first_failure) override;
  std::vector<BucketCheck> checks() const override;
  GpuUse gpu_use() const override;

 private:
  StageExecutor* HostOf(int stage) const;

  std::vector<Part> parts_;
  std::deque<StageExecutor*> unfinished_;  // who holds each batch, oldest first
};

}  // namespace escan
