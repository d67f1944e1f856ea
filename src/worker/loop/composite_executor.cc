#include "worker/loop/composite_executor.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/loop/stage_tensors.h"

namespace escan {

CompositeExecutor::CompositeExecutor(std::vector<Part> parts) : parts_(std::move(parts)) {}

absl::Status CompositeExecutor::Prepare(const Progress& progress) {
  int total = 0;
  for (const Part& part : parts_) total += PreparationSteps(part.stages);
  int before = 0;
  for (const Part& part : parts_) {
    const absl::Status status =
        part.executor->Prepare([&](int done, int) { progress(before + done, total); });
    if (!status.ok()) return status;
    before += PreparationSteps(part.stages);
  }
  return absl::OkStatus();
}

absl::Status CompositeExecutor::Start(const StageBatch& batch) {
  StageExecutor* host = HostOf(batch.stage);
  if (host == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("stage ", batch.stage, " is not hosted here"));
  }
  const absl::Status status = host->Start(batch);
  if (status.ok()) unfinished_.push_back(host);
  return status;
}

void CompositeExecutor::AwaitDoneOrReadable(int fd) {
  if (!unfinished_.empty()) unfinished_.front()->AwaitDoneOrReadable(fd);
}

std::vector<BucketCheck> CompositeExecutor::checks() const {
  std::vector<BucketCheck> checks;
  for (const Part& part : parts_)
    std::ranges::copy(part.executor->checks(), std::back_inserter(checks));
  return checks;
}

StageExecutor::GpuUse CompositeExecutor::gpu_use() const {
  GpuUse use;
  for (const Part& part : parts_) {
    const GpuUse of_part = part.executor->gpu_use();
    use.multiprocessors = std::max(use.multiprocessors, of_part.multiprocessors);
    use.memory_bytes += of_part.memory_bytes;
  }
  return use;
}

absl::Status CompositeExecutor::Finish(std::span<RowResult> results, std::string* first_failure) {
  StageExecutor* host = unfinished_.front();
  unfinished_.pop_front();
  return host->Finish(results, first_failure);
}

StageExecutor* CompositeExecutor::HostOf(int stage) const {
  for (const Part& part : parts_) {
    const auto hosts = [stage](const WorkerStage& hosted) { return hosted.index == stage; };
    if (std::any_of(part.stages.begin(), part.stages.end(), hosts)) return part.executor.get();
  }
  return nullptr;
}

}  // namespace escan
