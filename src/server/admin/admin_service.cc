#include "server/admin/admin_service.h"

#include <future>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/admin/admin_status.h"
#include "server/admin/decision_status.h"
#include "server/admin/rollout_status.h"
#include "server/admin/server_status.h"
#include "server/protocol/grpc_status.h"

namespace escan {

AdminService::AdminService(ServerState* state, std::vector<Device> devices,
                           std::function<void()> request_drain, ChangeCascades change_cascades)
    : state_(state),
      devices_(std::move(devices)),
      request_drain_(std::move(request_drain)),
      change_cascades_(std::move(change_cascades)) {}

grpc::Status AdminService::GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*,
                                     v1::GetStatusResponse* response) {
  *response = DescribeServer(*state_, devices_, started_);
  return grpc::Status::OK;
}

grpc::Status AdminService::GetHealth(grpc::ServerContext*, const v1::GetHealthRequest*,
                                     v1::GetHealthResponse* response) {
  response->set_live(true);
  response->set_ready(state_->ready());
  if (!response->ready()) response->set_reason(state_->NotReadyReason());
  return grpc::Status::OK;
}

grpc::Status AdminService::GetPlan(grpc::ServerContext*, const v1::GetPlanRequest* request,
                                   v1::GetPlanResponse* response) {
  absl::StatusOr<std::shared_ptr<ServedModel>> model = Find(request->model());
  if (!model.ok()) return ToGrpc(model.status());
  const Plan plan = (*model)->engine->Status().plan;
  response->set_plan_yaml(ToYaml(plan, (*model)->cascade()));
  response->set_differs_from_file(PlanDiffers((*model)->config, plan, PlanMode(**model)));
  return grpc::Status::OK;
}

grpc::Status AdminService::SetPlan(grpc::ServerContext*, const v1::SetPlanRequest* request,
                                   v1::SetPlanResponse* response) {
  absl::StatusOr<std::shared_ptr<ServedModel>> model = Find(request->model());
  if (!model.ok()) return ToGrpc(model.status());
  const std::string source = request->source().empty() ? "plan" : request->source();
  absl::StatusOr<Plan> plan = ParsePlan(request->plan_yaml(), source,
                                        {.cascade = (*model)->cascade(),
                                         .devices = devices_,
                                         .mps = state_->mps().value_or(MpsReport{}).mode});
  if (!plan.ok()) return ToGrpc(plan.status());
  const absl::StatusOr<PlanChange> change = state_->SetPlan(**model, *plan);
  if (!change.ok()) return ToGrpc(change.status());
  response->set_workers_started(static_cast<uint32_t>(change->workers_started));
  response->set_workers_stopped(static_cast<uint32_t>(change->workers_stopped));
  SetDuration(change->took, response->mutable_took());
  response->set_frozen(PlanMode(**model) == ControlLoop::Mode::kFrozen);
  return grpc::Status::OK;
}

grpc::Status AdminService::FreezePlan(grpc::ServerContext*, const v1::FreezePlanRequest* request,
                                      v1::FreezePlanResponse*) {
  const absl::StatusOr<std::shared_ptr<ServedModel>> model = Find(request->model());
  if (!model.ok()) return ToGrpc(model.status());
  return ToGrpc(state_->controller()->Freeze((*model)->cascade().name));
}

grpc::Status AdminService::ThawPlan(grpc::ServerContext*, const v1::ThawPlanRequest* request,
                                    v1::ThawPlanResponse*) {
  const absl::StatusOr<std::shared_ptr<ServedModel>> model = Find(request->model());
  if (!model.ok()) return ToGrpc(model.status());
  return ToGrpc(state_->controller()->Thaw((*model)->cascade().name));
}

grpc::Status AdminService::GetPlanHistory(grpc::ServerContext*,
                                          const v1::GetPlanHistoryRequest* request,
                                          v1::GetPlanHistoryResponse* response) {
  const absl::StatusOr<std::shared_ptr<ServedModel>> model = Find(request->model());
  if (!model.ok()) return ToGrpc(model.status());
  const Moment now{.monotonic = Clock::now(), .wall = std::chrono::system_clock::now()};
  for (const PlanDecision& decision : state_->controller()->History((*model)->cascade().name)) {
    *response->add_decisions() = Describe(decision, now);
  }
  return grpc::Status::OK;
}

grpc::Status AdminService::SetThresholds(grpc::ServerContext*,
                                         const v1::SetThresholdsRequest* request,
                                         v1::SetThresholdsResponse*) {
  absl::StatusOr<std::shared_ptr<ServedModel>> model = Find(request->model());
  if (!model.ok()) return ToGrpc(model.status());
  absl::StatusOr<std::vector<std::pair<int, float>>> thresholds =
      CheckThresholds((*model)->cascade(), request->thresholds());
  if (!thresholds.ok()) return ToGrpc(thresholds.status());
  (*model)->engine->SetThresholds(*thresholds);
  return grpc::Status::OK;
}

grpc::Status AdminService::GiveFeedback(grpc::ServerContext*,
                                        const v1::GiveFeedbackRequest* request,
                                        v1::GiveFeedbackResponse*) {
  const absl::StatusOr<std::shared_ptr<ServedModel>> model = Find(request->model());
  if (!model.ok()) return ToGrpc(model.status());
  const std::vector<int64_t> labels(request->labels().begin(), request->labels().end());
  return ToGrpc((*model)->feedback.Label(request->request_id(), labels, Clock::now()));
}

grpc::Status AdminService::Reload(grpc::ServerContext*, const v1::ReloadRequest*,
                                  v1::ReloadResponse* response) {
  const absl::StatusOr<ChangeReport> report = Change({.kind = CascadeChange::Kind::kReload});
  if (!report.ok()) return ToGrpc(report.status());
  response->mutable_added()->Assign(report->added.begin(), report->added.end());
  response->mutable_replaced()->Assign(report->replaced.begin(), report->replaced.end());
  response->mutable_removed()->Assign(report->removed.begin(), report->removed.end());
  response->mutable_unchanged()->Assign(report->unchanged.begin(), report->unchanged.end());
  SetDuration(report->took, response->mutable_took());
  return grpc::Status::OK;
}

grpc::Status AdminService::StartRollout(grpc::ServerContext*,
                                        const v1::StartRolloutRequest* request,
                                        v1::RolloutStatus* response) {
  const absl::StatusOr<std::shared_ptr<ServedModel>> model = Find(request->model());
  if (!model.ok()) return ToGrpc(model.status());
  const absl::StatusOr<RolloutTerms> terms = TermsOf(*request);
  if (!terms.ok()) return ToGrpc(terms.status());
  const std::string& name = (*model)->cascade().name;
  const absl::Status status =
      Change({.kind = CascadeChange::Kind::kRollout,
              .name = name,
              .stage_models = {request->stage_models().begin(), request->stage_models().end()},
              .terms = *terms})
          .status();
  return Answer(status, name, response);
}

grpc::Status AdminService::GetRollout(grpc::ServerContext*, const v1::GetRolloutRequest* request,
                                      v1::RolloutStatus* response) {
  return Answer(absl::OkStatus(), request->model(), response);
}

grpc::Status AdminService::EndRollout(grpc::ServerContext*, const v1::EndRolloutRequest* request,
                                      v1::RolloutStatus* response) {
  const auto kind =
      request->promote() ? CascadeChange::Kind::kPromote : CascadeChange::Kind::kAbort;
  return Answer(Change({.kind = kind, .name = request->model()}).status(), request->model(),
                response);
}

grpc::Status AdminService::Answer(const absl::Status& changed, const std::string& model,
                                  v1::RolloutStatus* response) const {
  if (!changed.ok()) return ToGrpc(changed);
  const std::shared_ptr<Rollout> rollout = state_->rollout();
  if (rollout == nullptr || (!model.empty() && rollout->model() != model)) {
    return {grpc::StatusCode::NOT_FOUND, "there was no rollout"};
  }
  *response = DescribeRollout(*rollout);
  return grpc::Status::OK;
}

absl::StatusOr<ChangeReport> AdminService::Change(CascadeChange change) const {
  if (change_cascades_ == nullptr) return absl::UnimplementedError("cascades stay as they are");
  std::promise<absl::StatusOr<ChangeReport>> promise;
  change_cascades_(std::move(change), [&](absl::StatusOr<ChangeReport> report) {
    promise.set_value(std::move(report));
  });
  return promise.get_future().get();
}

grpc::Status AdminService::Drain(grpc::ServerContext*, const v1::DrainRequest*,
                                 v1::DrainResponse* response) {
  request_drain_();
  uint32_t requests = 0;
  for (const std::shared_ptr<ServedModel>& model : state_->models()) {
    requests += static_cast<uint32_t>(model->engine->Status().requests);
  }
  response->set_requests(requests);
  return grpc::Status::OK;
}

ControlLoop::Mode AdminService::PlanMode(const ServedModel& model) const {
  return state_->controller()->mode(model.cascade().name);
}

absl::StatusOr<std::shared_ptr<ServedModel>> AdminService::Find(const std::string& name) const {
  if (name.empty()) {
    const ModelTable models = state_->models();
    if (models.size() == 1) return models.front();
    return absl::InvalidArgumentError(
        absl::StrCat("no model is named, and the server has ", models.size(), " of them"));
  }
  return state_->Find(name);
}

}  // namespace escan
