#include "loadgen/asked_answers.h"

#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "arrays/tensor_comparison.h"
#include "contracts/mutex.h"
#include "escan/cascade.h"
#include "loadgen/difficulties.h"
#include "loadgen/grpc_transport.h"

namespace escan::loadgen {
namespace {

// Takes what is answered, one request at a time, as right.
class Asker : public AnswerListener {
 public:
  // `stage` is the one that all samples are asked to exit at, 1 = the first; nullopt: wherever they
  // do.
  Asker(const std::vector<TensorSpec>& outputs, std::optional<int> stage, RightAnswers* answers)
      : outputs_(outputs), stage_(stage), answers_(answers) {}

  absl::Status Ask(int64_t sample, Transport* transport) ESCAN_EXCLUDES(mutex_) {
    transport->Send({.ticket = {.first_row = sample, .rows = 1}, .due = Clock::now()});
    MutexLock lock(mutex_);
    while (!answer_) changed_.Wait(mutex_);
    return *std::exchange(answer_, std::nullopt);
  }

 private:
  void OnAnswer(int, const OutgoingRequest& request, const absl::Status& status,
                const AnswerTensors& tensors) override {
    absl::Status taken = status.ok() ? Take(request.ticket.first_row, tensors) : status;
    MutexLock lock(mutex_);
    answer_ = std::move(taken);
    changed_.NotifyAll();
  }

  absl::Status Take(int64_t sample, const AnswerTensors& tensors) {
    if (!tensors.defect.empty()) return absl::FailedPreconditionError(tensors.defect);
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (outputs_[i].name == kConfidenceOutput) continue;  // NaN where the stage has no score
      if (!HoldsNan(outputs_[i].datatype, tensors.outputs[i])) continue;
      return absl::FailedPreconditionError(
          absl::StrCat("'", outputs_[i].name, "' holds nan, which cannot be right"));
    }
    int32_t exit = 1;
    if (!tensors.exit_stages.empty()) {
      std::memcpy(&exit, tensors.exit_stages.data(), sizeof(exit));
      if (exit < 1 || exit > kMaxStages) {
        return absl::FailedPreconditionError(
            absl::StrFormat("%s is %d, expected 1 to %d", kExitStageOutput, exit, kMaxStages));
      }
    }
    answers_->Set(sample, stage_.value_or(exit), tensors.outputs);
    return absl::OkStatus();
  }

  const std::vector<TensorSpec>& outputs_;
  const std::optional<int> stage_;
  RightAnswers* const answers_;
  Mutex mutex_;
  CondVar changed_;
  std::optional<absl::Status> answer_ ESCAN_GUARDED_BY(mutex_);
};

// Ratios with which every sample exits at one stage.
std::vector<double> AllAt(size_t stage, size_t ratios) {
  std::vector<double> all(ratios, 0.0);
  if (stage < ratios) all[stage] = 1.0;
  return all;
}

absl::Status AskForAll(Channels channel, const ModelInfo& model, const Material& material,
                       std::optional<int> stage, const std::optional<ExitControl>& exits,
                       Duration deadline, RightAnswers* answers) {
  Asker asker(model.outputs, stage, answers);
  GrpcTransport transport(std::move(channel), model, &material.samples,
                          {.deadline = deadline, .exits = exits});
  transport.SetListener(&asker);
  for (int64_t sample = 0; sample < answers->samples(); ++sample) {
    if (absl::Status status = asker.Ask(sample, &transport); !status.ok()) {
      return absl::Status(status.code(),
                          absl::StrCat("sample ", sample, " alone: ", status.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RightAnswers> AskForAnswers(const std::shared_ptr<grpc::Channel>& channel,
                                           const ModelInfo& model, const Material& material,
                                           double tolerance, Duration deadline) {
  RightAnswers answers(model.outputs, material.samples.rows(), tolerance);
  absl::Status status;
  if (!material.difficulties) {
    status = AskForAll({channel}, model, material, std::nullopt, std::nullopt, deadline, &answers);
  } else {
    const size_t ratios = material.exits.segments().front().ratios.size();
    for (size_t stage = 0; stage <= ratios && status.ok(); ++stage) {
      const Difficulties difficulties(ExitSchedule(AllAt(stage, ratios)), /*rows_per_request=*/1,
                                      /*seed=*/1);
      const ExitControl exits{.input = material.difficulty_input, .difficulties = &difficulties};
      status = AskForAll({channel}, model, material, static_cast<int>(stage) + 1, exits, deadline,
                         &answers);
    }
  }
  if (!status.ok()) return status;
  return answers;
}

}  // namespace escan::loadgen
