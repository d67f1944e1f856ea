#include "server/inference/server_state.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "contracts/label.h"

namespace escan {

ServedModel::ServedModel(const CascadeConfig& model_config, std::unique_ptr<Engine> model_engine,
                         std::string model_version)
    : config(model_config),
      version(std::move(model_version)),
      max_request_bytes(MaxRequestBytes(config.spec)),
      answer_tensors(AnswerTensors(config.spec)),
      answers(config.spec, version),
      feedback(config.spec.feedback, config.spec.stage_count()),
      label_output(LabelOutput(config.spec)),
      engine(std::move(model_engine)) {}

ModelTable ServerState::models() const {
  const MutexLock lock(mutex_);
  return models_;
}

std::shared_ptr<ControlLoop> ServerState::controller() const {
  const MutexLock lock(mutex_);
  return controller_;
}

std::shared_ptr<const ClientRegistry> ServerState::clients() const {
  const MutexLock lock(mutex_);
  return clients_;
}

void ServerState::SetClients(std::shared_ptr<const ClientRegistry> clients) {
  const MutexLock lock(mutex_);
  clients_ = std::move(clients);
}

void ServerState::SetModels(ModelTable models, std::shared_ptr<ControlLoop> controller) {
  // Those of before go when the lock is free: they may be the last users of an engine.
  const MutexLock lock(mutex_);
  models_.swap(models);
  controller_.swap(controller);
}

std::shared_ptr<ServedModel> ServerState::FindOrNull(absl::string_view name) const {
  const MutexLock lock(mutex_);
  for (const std::shared_ptr<ServedModel>& model : models_) {
    if (model->cascade().name == name) return model;
  }
  return nullptr;
}

ServerState::Routed ServerState::Route(absl::string_view name, absl::string_view version) const {
  Routed routed{.model = FindOrNull(name), .rollout = rollout()};
  if (routed.rollout == nullptr || routed.model == nullptr || routed.rollout->model() != name) {
    return {.model = std::move(routed.model)};
  }
  std::shared_ptr<ServedModel> after = routed.rollout->after();
  if (after == nullptr || !routed.rollout->Takes(version))
    return {.model = std::move(routed.model)};
  routed.model = std::move(after);
  return routed;
}

std::shared_ptr<Rollout> ServerState::rollout() const {
  const MutexLock lock(mutex_);
  return rollout_;
}

void ServerState::SetRollout(std::shared_ptr<Rollout> rollout) {
  const MutexLock lock(mutex_);
  rollout_.swap(rollout);
}

absl::StatusOr<std::shared_ptr<ServedModel>> ServerState::Find(absl::string_view name) const {
  if (std::shared_ptr<ServedModel> model = FindOrNull(name); model != nullptr) return model;
  return absl::NotFoundError(
      absl::StrCat("unknown model '", name, "': this server has ",
                   absl::StrJoin(models(), ", ", [](std::string* out, const auto& model) {
                     absl::StrAppend(out, "'", model->cascade().name, "'");
                   })));
}

absl::StatusOr<std::shared_ptr<ServedModel>> ServerState::Find(absl::string_view name,
                                                               absl::string_view version) const {
  absl::StatusOr<std::shared_ptr<ServedModel>> model = Find(name);
  if (!model.ok()) return model;
  absl::Status status = CheckVersion(name, version, (*model)->version);
  if (!status.ok()) return status;
  return model;
}

absl::StatusOr<std::shared_ptr<Client>> ServerState::CallerOf(absl::string_view authorization) {
  const std::shared_ptr<const ClientRegistry> registry = clients();
  if (registry == nullptr) return nullptr;
  absl::StatusOr<std::shared_ptr<Client>> client = registry->Find(authorization);
  if (!client.ok()) unrouted_.CountFailed(client.status().code(), Duration::zero());
  return client;
}

absl::StatusOr<PlanChange> ServerState::SetPlan(const ServedModel& model, const Plan& plan) const {
  const std::string& name = model.cascade().name;
  const std::shared_ptr<ControlLoop> loop = controller();
  const bool fixed = loop->mode(name) == ControlLoop::Mode::kFixed;
  return fixed ? model.engine->SetPlan(plan) : loop->SetPlan(name, plan);
}

bool ServerState::ready(const ServedModel& model) const {
  return phase() == Phase::kServing && accepting() && answering() && model.engine->ready();
}

bool ServerState::ready() const {
  return std::ranges::all_of(models(), [&](const auto& model) { return ready(*model); });
}

std::string ServerState::NotReadyReason(const ServedModel& model) const {
  if (phase() != Phase::kServing) return "the server is draining";
  if (!accepting()) return "the limit of open files leaves no room for new connections";
  if (!answering()) return "the daemon does not answer the requests that it sends to itself";
  return model.engine->not_ready_reason();
}

std::string ServerState::NotReadyReason() const {
  for (const std::shared_ptr<ServedModel>& model : models()) {
    if (std::string reason = NotReadyReason(*model); !reason.empty()) return reason;
  }
  return "";
}

}  // namespace escan
