#include "server/inference/server_state.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/protocol/contract.h"

namespace escan {

ServedModel::ServedModel(const CascadeConfig& model_config, std::unique_ptr<Engine> model_engine)
    : config(model_config),
      answer_tensors(AnswerTensors(config.spec)),
      answers(config.spec),
      engine(std::move(model_engine)) {}

ServedModel* ServerState::FindOrNull(absl::string_view name) const {
  for (const std::unique_ptr<ServedModel>& model : models_) {
    if (model->cascade().name == name) return model.get();
  }
  return nullptr;
}

absl::StatusOr<ServedModel*> ServerState::Find(absl::string_view name) const {
  if (ServedModel* model = FindOrNull(name); model != nullptr) return model;
  return absl::NotFoundError(absl::StrCat(
      "unknown model '", name, "': this server has ",
      absl::StrJoin(models_, ", ", [](std::string* out, const std::unique_ptr<ServedModel>& model) {
        absl::StrAppend(out, "'", model->cascade().name, "'");
      })));
}

absl::StatusOr<ServedModel*> ServerState::Find(absl::string_view name,
                                               absl::string_view version) const {
  absl::StatusOr<ServedModel*> model = Find(name);
  if (!model.ok()) return model;
  if (absl::Status status = CheckVersion(name, version); !status.ok()) return status;
  return model;
}

absl::StatusOr<PlanChange> ServerState::SetPlan(const ServedModel& model, const Plan& plan) const {
  const std::string& name = model.cascade().name;
  const bool fixed = controller_->mode(name) == ControlLoop::Mode::kFixed;
  return fixed ? model.engine->SetPlan(plan) : controller_->SetPlan(name, plan);
}

bool ServerState::ready(const ServedModel& model) const {
  return phase() == Phase::kServing && accepting() && answering() && model.engine->ready();
}

bool ServerState::ready() const {
  return std::all_of(models_.begin(), models_.end(),
                     [&](const std::unique_ptr<ServedModel>& model) { return ready(*model); });
}

std::string ServerState::NotReadyReason(const ServedModel& model) const {
  if (phase() != Phase::kServing) return "the server is draining";
  if (!accepting()) return "the limit of open files leaves no room for new connections";
  if (!answering()) return "the daemon does not answer the requests that it sends to itself";
  return model.engine->not_ready_reason();
}

std::string ServerState::NotReadyReason() const {
  for (const std::unique_ptr<ServedModel>& model : models_) {
    if (std::string reason = NotReadyReason(*model); !reason.empty()) return reason;
  }
  return "";
}

}  // namespace escan
