#include "worker/loop/null_executor.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/loop/answer_delivery.h"
#include "worker/loop/stage_tensors.h"

namespace escan {

NullExecutor::NullExecutor(std::vector<WorkerStage> stages, const Slab& slab)
    : stages_(std::move(stages)), slab_(slab) {
  size_t bytes = 0;
  for (const WorkerStage& stage : stages_) {
    for (const SlabTensor& output : stage.outputs) {
      bytes = std::max(bytes, RowBytes(output) * static_cast<size_t>(LargestBucket(stage)));
    }
  }
  zeros_.resize(bytes);
}

absl::Status NullExecutor::Prepare(const Progress& progress) {
  const int steps = PreparationSteps(stages_);
  progress(steps, steps);
  return absl::OkStatus();
}

absl::Status NullExecutor::Start(const StageBatch& batch) {
  batches_.push_back(batch);
  return absl::OkStatus();
}

absl::Status NullExecutor::Finish(std::span<RowResult> results, std::string* first_failure) {
  const StageBatch batch = batches_.front();
  batches_.pop_front();
  const auto stage = std::find_if(stages_.begin(), stages_.end(),
                                  [&](const WorkerStage& s) { return s.index == batch.stage; });
  if (stage == stages_.end()) {
    return absl::InvalidArgumentError(absl::StrCat("stage ", batch.stage, " is not hosted here"));
  }
  const float score =
      stage->score == ExitScore::kNone ? std::numeric_limits<float>::quiet_NaN() : 0;
  outputs_.assign(stage->outputs.size(), zeros_.data());
  scores_.assign(batch.slots.size(), score);
  *first_failure = DeliverAnswer(*stage, batch.purpose, slab_, batch.slots,
                                 {.outputs = outputs_, .scores = scores_}, results);
  return absl::OkStatus();
}

}  // namespace escan
