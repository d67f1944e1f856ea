#include "server/admin/admin_service.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/admin/admin_status.h"
#include "server/admin/decision_status.h"
#include "server/admin/server_status.h"
#include "server/protocol/grpc_status.h"

namespace escan {

AdminService::AdminService(ServerState* state, std::vector<Device> devices,
                           std::function<void()> request_drain)
    : state_(state), devices_(std::move(devices)), request_drain_(std::move(request_drain)) {}

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
  absl::StatusOr<ServedModel*> model = Find(request->model());
  if (!model.ok()) return ToGrpc(model.status());
  const Plan plan = (*model)->engine->Status().plan;
  response->set_plan_yaml(ToYaml(plan, (*model)->cascade()));
  response->set_differs_from_file(PlanDiffers((*model)->config, plan, PlanMode(**model)));
  return grpc::Status::OK;
}

grpc::Status AdminService::SetPlan(grpc::ServerContext*, const v1::SetPlanRequest* request,
                                   v1::SetPlanResponse* response) {
  absl::StatusOr<ServedModel*> model = Find(request->model());
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
  const absl::StatusOr<ServedModel*> model = Find(request->model());
  if (!model.ok()) return ToGrpc(model.status());
  return ToGrpc(state_->controller().Freeze((*model)->cascade().name));
}

grpc::Status AdminService::ThawPlan(grpc::ServerContext*, const v1::ThawPlanRequest* request,
                                    v1::ThawPlanResponse*) {
  const absl::StatusOr<ServedModel*> model = Find(request->model());
  if (!model.ok()) return ToGrpc(model.status());
  return ToGrpc(state_->controller().Thaw((*model)->cascade().name));
}

grpc::Status AdminService::GetPlanHistory(grpc::ServerContext*,
                                          const v1::GetPlanHistoryRequest* request,
                                          v1::GetPlanHistoryResponse* response) {
  const absl::StatusOr<ServedModel*> model = Find(request->model());
  if (!model.ok()) return ToGrpc(model.status());
  const Moment now{.monotonic = Clock::now(), .wall = std::chrono::system_clock::now()};
  for (const PlanDecision& decision : state_->controller().History((*model)->cascade().name)) {
    *response->add_decisions() = Describe(decision, now);
  }
  return grpc::Status::OK;
}

grpc::Status AdminService::SetThresholds(grpc::ServerContext*,
                                         const v1::SetThresholdsRequest* request,
                                         v1::SetThresholdsResponse*) {
  absl::StatusOr<ServedModel*> model = Find(request->model());
  if (!model.ok()) return ToGrpc(model.status());
  absl::StatusOr<std::vector<std::pair<int, float>>> thresholds =
      CheckThresholds((*model)->cascade(), request->thresholds());
  if (!thresholds.ok()) return ToGrpc(thresholds.status());
  (*model)->engine->SetThresholds(*thresholds);
  return grpc::Status::OK;
}

grpc::Status AdminService::Drain(grpc::ServerContext*, const v1::DrainRequest*,
                                 v1::DrainResponse* response) {
  request_drain_();
  uint32_t requests = 0;
  for (const std::unique_ptr<ServedModel>& model : state_->models()) {
    requests += static_cast<uint32_t>(model->engine->Status().requests);
  }
  response->set_requests(requests);
  return grpc::Status::OK;
}

ControlLoop::Mode AdminService::PlanMode(const ServedModel& model) const {
  return state_->controller().mode(model.cascade().name);
}

absl::StatusOr<ServedModel*> AdminService::Find(const std::string& name) const {
  if (name.empty() && state_->models().size() == 1) return state_->models().front().get();
  if (name.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("no model is named, and the server has ",
                                                   state_->models().size(), " of them"));
  }
  return state_->Find(name);
}

}  // namespace escan
