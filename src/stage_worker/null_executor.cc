#include "stage_worker/null_executor.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "stage_worker/stage_tensors.h"

namespace escan {

NullExecutor::NullExecutor(std::vector<WorkerStage> stages, const Slab& slab)
    : slab_(slab), steps_(PreparationSteps(stages)) {
  for (const WorkerStage& spec : stages) {
    Stage& stage = stages_.emplace_back();
    stage.index = spec.index;
    stage.score = spec.score == ExitScore::kNone ? std::numeric_limits<float>::quiet_NaN() : 0;
    for (const SlabTensor& output : spec.outputs) {
      stage.outputs.push_back({.offset = output.offset, .bytes = RowBytes(output)});
    }
  }
}

absl::Status NullExecutor::Prepare(const Progress& progress) {
  progress(steps_, steps_);
  return absl::OkStatus();
}

absl::Status NullExecutor::Start(const StageBatch& batch) {
  batches_.push_back(batch);
  return absl::OkStatus();
}

absl::Status NullExecutor::Finish(std::span<RowResult> results, std::string*) {
  const StageBatch batch = batches_.front();
  batches_.pop_front();
  const auto stage = std::find_if(stages_.begin(), stages_.end(),
                                  [&](const Stage& s) { return s.index == batch.stage; });
  if (stage == stages_.end()) {
    return absl::InvalidArgumentError(absl::StrCat("stage ", batch.stage, " is not hosted here"));
  }
  for (const SlotId slot : batch.slots) {
    for (const Region& output : stage->outputs) {
      std::memset(slab_.At(slot, output.offset), 0, output.bytes);
    }
  }
  std::fill(results.begin(), results.end(), RowResult{.score = stage->score});
  return absl::OkStatus();
}

}  // namespace escan
