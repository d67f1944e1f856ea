#include "stage_worker/torch_executor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "stage_worker/answer_delivery.h"
#include "stage_worker/exit_scores.h"
#include "stage_worker/row_isolation.h"
#include "stage_worker/stage_tensors.h"

namespace escan {
namespace {

// Scores each row of the last Forward().
void ScoreRows(const TorchModel& model, std::span<float> scores) {
  const WorkerStage& stage = model.stage();
  std::span<const float> row;
  if (stage.score != ExitScore::kNone) {
    const auto output = static_cast<size_t>(stage.score_output);
    row = {reinterpret_cast<const float*>(model.output(output)),
           RowBytes(stage.outputs[output]) / sizeof(float)};
  }
  for (float& score : scores) {
    score = ExitScoreOf(stage.score, row);
    row = {row.data() + row.size(), row.size()};
  }
}

}  // namespace

TorchExecutor::TorchExecutor(std::vector<WorkerStage> stages, const Slab& slab, OnLoaded on_loaded)
    : stages_(std::move(stages)), slab_(slab), on_loaded_(std::move(on_loaded)) {}

absl::Status TorchExecutor::Prepare(const Progress& progress) {
  for (const WorkerStage& stage : stages_) {
    if (const absl::Status status = CheckScore(stage); !status.ok()) return status;
    absl::StatusOr<TorchModel> model = TorchModel::Load(stage);
    if (!model.ok()) return model.status();
    on_loaded_(stage, model->variant());
    models_.push_back(*std::move(model));
  }
  const int total = PreparationSteps(stages_);
  int done = 0;
  for (TorchModel& model : models_) {
    for (const int rows : model.stage().buckets) {
      progress(done++, total);
      if (const absl::Status status = model.WarmUp(rows); !status.ok()) return status;
    }
  }
  progress(done, total);
  return absl::OkStatus();
}

absl::Status TorchExecutor::Start(const StageBatch& batch) {
  batches_.push_back(batch);
  return absl::OkStatus();
}

absl::Status TorchExecutor::Finish(std::span<RowResult> results, std::string* first_failure) {
  const StageBatch batch = batches_.front();
  batches_.pop_front();
  const auto model = std::find_if(models_.begin(), models_.end(), [&](const TorchModel& m) {
    return m.stage().index == batch.stage;
  });
  if (model == models_.end()) {
    return absl::InvalidArgumentError(absl::StrCat("stage ", batch.stage, " is not hosted here"));
  }
  std::string difference;
  *first_failure = RunIsolatingFailures(results, [&](size_t first, size_t count) {
    return Run(*model, batch.purpose, batch.slots.subspan(first, count),
               results.subspan(first, count), &difference);
  });
  if (!difference.empty()) *first_failure = std::move(difference);
  return absl::OkStatus();
}

absl::Status TorchExecutor::Run(TorchModel& model, BatchPurpose purpose,
                                std::span<const SlotId> slots, std::span<RowResult> results,
                                std::string* difference) {
  const WorkerStage& stage = model.stage();
  for (size_t i = 0; i < stage.inputs.size(); ++i) {
    GatherRows(slab_, slots, stage.inputs[i], model.input(i));
  }
  const absl::Status status = model.Forward(static_cast<int>(slots.size()));
  if (!status.ok()) return status;
  outputs_.clear();
  for (size_t i = 0; i < stage.outputs.size(); ++i) outputs_.push_back(model.output(i));
  scores_.resize(slots.size());
  ScoreRows(model, scores_);
  std::string differs = DeliverAnswer(stage, purpose, slab_, slots,
                                      {.outputs = outputs_, .scores = scores_}, results);
  if (difference->empty()) *difference = std::move(differs);
  return absl::OkStatus();
}

}  // namespace escan
