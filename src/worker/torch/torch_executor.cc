#include "worker/torch/torch_executor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/loop/answer_delivery.h"
#include "worker/loop/row_isolation.h"
#include "worker/loop/stage_tensors.h"

namespace escan {

TorchExecutor::TorchExecutor(std::vector<WorkerStage> stages, const Slab& slab,
                             const Probes* probes, VariantChoices choices, OnLoaded on_loaded)
    : stages_(std::move(stages)),
      slab_(slab),
      probes_(probes),
      choices_(std::move(choices)),
      on_loaded_(std::move(on_loaded)) {}

absl::Status TorchExecutor::Prepare(const Progress& progress) {
  absl::Status
      wrong;  // of the first stage that answers wrongly; what the others do is looked at too
  for (const WorkerStage& stage : stages_) {
    if (const absl::Status status = CheckScore(stage); !status.ok()) return status;
    absl::StatusOr<TorchModel> model = TorchModel::Load(stage, probes_, choices_, &checks_);
    if (absl::IsDataLoss(model.status())) {
      wrong.Update(model.status());
      continue;
    }
    if (!model.ok()) return model.status();
    on_loaded_(stage, model->variant());
    models_.push_back(*std::move(model));
  }
  if (!wrong.ok()) return wrong;
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
  std::string first_difference;
  *first_failure = RunIsolatingFailures(results, [&](size_t first, size_t count) {
    StageBatch part = batch;
    part.slots = batch.slots.subspan(first, count);
    return Run(*model, part, results.subspan(first, count), &first_difference);
  });
  if (first_failure->empty()) *first_failure = std::move(first_difference);
  return absl::OkStatus();
}

absl::Status TorchExecutor::Run(TorchModel& model, const StageBatch& batch,
                                std::span<RowResult> results, std::string* first_difference) {
  const WorkerStage& stage = model.stage();
  for (size_t i = 0; i < stage.inputs.size(); ++i) {
    GatherRows(slab_, batch.slots, stage.inputs[i], model.input(i));
  }
  const absl::Status status = model.Forward(static_cast<int>(batch.slots.size()));
  if (!status.ok()) return status;
  const std::string difference =
      DeliverAnswer(stage, batch.purpose, slab_, batch.slots, model.answer(), results);
  if (first_difference->empty()) *first_difference = difference;
  return absl::OkStatus();
}

}  // namespace escan
