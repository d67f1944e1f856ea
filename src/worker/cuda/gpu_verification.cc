#include "worker/cuda/gpu_verification.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "absl/strings/str_cat.h"
#include "escan/time.h"
#include "ipc/unique_fd.h"
#include "worker/cuda/torch_gpu_state.h"
#include "worker/torch/thread_of_its_own.h"
#include "worker/verification/bucket_checks.h"

namespace escan {

// Each choice is tried on a thread of its own.
class GpuVerification::Trials : public ChoiceTrials {
 public:
  Trials(GpuVerification* verification, CudaModel* model)
      : verification_(*verification), model_(*model) {}

  absl::Status Build(const GpuChoice& choice) override {
    absl::Status status;
    wrong_ = absl::UnavailableError("it could not be built");
    OnThreadOfItsOwn(verification_.gpu_.state().stream, [&] {
      status = model_.Rebuild(choice);
      if (status.ok()) wrong_ = verification_.WhatIsWrong(model_);
      if (wrong_.ok() && wrong_->empty()) times_ = model_.TimeSteps();
    });
    return status;
  }
  absl::StatusOr<std::string> WhatIsWrong() override { return wrong_; }
  absl::StatusOr<StepTimes> Time() override { return times_; }
  absl::StatusOr<std::string> BuildToServe(const GpuChoice& choice) override {
    return verification_.Rebuild(&model_, choice);
  }

 private:
  GpuVerification& verification_;
  CudaModel& model_;
  absl::StatusOr<std::string> wrong_;
  absl::StatusOr<StepTimes> times_;
};

absl::Status GpuVerification::Run(CudaModel* model, std::vector<BucketCheck>* checks) {
  const TimePoint begun = Clock::now();
  const absl::StatusOr<GpuChoice> choice = FindRightChoice(model);
  if (!choice.ok()) return choice.status();
  const absl::StatusOr<std::vector<Duration>> steps = model->TimeBuckets();
  if (!steps.ok()) return steps.status();
  model->Settle(*choice);
  const WorkerStage& stage = model->stage();
  const std::chrono::duration<double, std::milli> took = Clock::now() - begun;
  log_(absl::StrCat("event=checked stage=", stage.name, " verdict=\"",
                    std::string(Name(choice->verdict)), "\" way=\"", Describe(*choice),
                    "\" took_ms=", took.count()));
  const StageOutcome outcome = {
      .verdict = choice->verdict, .way = Describe(*choice), .message = choice->wrong};
  std::ranges::copy(ChecksOf(stage, probes_, outcome, *steps), std::back_inserter(*checks));
  if (choice->verdict != Verdict::kWrong) return absl::OkStatus();
  return AnswersWrongly(stage, absl::StrCat(" on ", multiprocessors_, " multiprocessors"),
                        choice->wrong);
}

absl::StatusOr<GpuChoice> GpuVerification::FindRightChoice(CudaModel* model) {
  GpuChoice choice = model->choice();
  if (!probes_.comparable(model->stage().index)) return choice;
  const absl::StatusOr<std::string> wrong = WhatIsWrong(*model);
  if (!wrong.ok()) return wrong.status();
  const bool known_wrong = choice.verdict == Verdict::kWrong;  // an earlier start has tried all
  if (!wrong->empty()) return known_wrong ? choice : Remedy(model, *wrong);
  if (choice.verdict == Verdict::kRightByRemedy) return choice;
  choice.verdict = Verdict::kRight;  // a known wrong one was so with other rows of the probe
  choice.wrong.clear();
  return choice;
}

absl::StatusOr<GpuChoice> GpuVerification::Remedy(CudaModel* model, const std::string& wrong) {
  // Workers of equal shares start together: one searches, the others take what it found.
  const UniqueFd searching = model->ReserveShare();
  const std::optional<GpuChoice> found = model->FindOfShare();
  if (found && found->verdict == Verdict::kWrong) return *found;
  if (found && found->verdict == Verdict::kRightByRemedy) {
    const GpuChoice fastest = model->choice();
    const absl::StatusOr<std::string> still = Rebuild(model, *found);
    if (!still.ok()) return still.status();
    if (still->empty()) return *found;
    if (const absl::Status status = model->Rebuild(fastest); !status.ok()) return status;
  }
  const absl::StatusOr<GpuChoice> choice = FindRemedy(model, wrong);
  if (choice.ok()) model->KeepForShare(*choice);
  return choice;
}

absl::StatusOr<GpuChoice> GpuVerification::FindRemedy(CudaModel* model, const std::string& wrong) {
  GpuChoice choice = model->choice();
  log_(absl::StrCat("event=answers_wrong stage=", model->stage().name, " way=\"", Describe(choice),
                    "\" multiprocessors=", multiprocessors_, " reason=\"", wrong, "\""));
  Trials trials(this, model);
  const absl::StatusOr<GpuChoice> found = escan::FindRightChoice(model->remedies(), &trials);
  if (absl::IsNotFound(found.status())) {
    choice.verdict = Verdict::kWrong;
    choice.wrong = wrong;
    // As it was, so that what is said of it is true.
    if (const absl::Status status = model->Rebuild(choice); !status.ok()) return status;
    return choice;
  }
  if (!found.ok()) return found.status();
  choice = model->choice();  // which may have become eager
  choice.verdict = Verdict::kRightByRemedy;
  choice.wrong = wrong;
  return choice;
}

absl::StatusOr<std::string> GpuVerification::Rebuild(CudaModel* model, const GpuChoice& choice) {
  if (const absl::Status status = model->Rebuild(choice); !status.ok()) return status;
  return WhatIsWrong(*model);
}

absl::StatusOr<std::string> GpuVerification::WhatIsWrong(const CudaModel& model) {
  const WorkerStage& stage = model.stage();
  for (const int rows : stage.buckets) {
    const std::vector<SlotId> slots = probes_.Batch(stage.index, rows);
    absl::Status status =
        executor_.Start({.stage = stage.index, .slots = slots, .purpose = BatchPurpose::kProbe});
    if (!status.ok()) return status;
    std::vector<RowResult> results(slots.size());
    std::string first_failure;
    status = executor_.Finish(results, &first_failure);
    if (!status.ok()) return status;
    if (!first_failure.empty()) return absl::StrCat("with ", rows, " rows, ", first_failure);
  }
  return "";
}

}  // namespace escan
