#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "escan/v1/admin.grpc.pb.h"
#include "server/deployment/cascade_change.h"
#include "server/inference/server_state.h"

namespace escan {

// The operator's interface; proto/escan/v1/admin.proto says what each method does. A synchronous
// service: SetPlan blocks its thread until the plan is in effect, which can take minutes. Outlives
// its gRPC server.
class AdminService final : public v1::AdminService::Service {
 public:
  // `request_drain` asks the daemon to drain and end; it must not block and may be called again.
  AdminService(ServerState* state, std::vector<Device> devices, std::function<void()> request_drain,
               ChangeCascades change_cascades = nullptr);

 private:
  grpc::Status GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest* request,
                         v1::GetStatusResponse* response) override;
  grpc::Status GetHealth(grpc::ServerContext* context, const v1::GetHealthRequest* request,
                         v1::GetHealthResponse* response) override;
  grpc::Status GetPlan(grpc::ServerContext* context, const v1::GetPlanRequest* request,
                       v1::GetPlanResponse* response) override;
  grpc::Status SetPlan(grpc::ServerContext* context, const v1::SetPlanRequest* request,
                       v1::SetPlanResponse* response) override;
  grpc::Status FreezePlan(grpc::ServerContext* context, const v1::FreezePlanRequest* request,
                          v1::FreezePlanResponse* response) override;
  grpc::Status ThawPlan(grpc::ServerContext* context, const v1::ThawPlanRequest* request,
                        v1::ThawPlanResponse* response) override;
  grpc::Status GetPlanHistory(grpc::ServerContext* context,
                              const v1::GetPlanHistoryRequest* request,
                              v1::GetPlanHistoryResponse* response) override;
  grpc::Status SetThresholds(grpc::ServerContext* context, const v1::SetThresholdsRequest* request,
                             v1::SetThresholdsResponse* response) override;
  grpc::Status GiveFeedback(grpc::ServerContext* context, const v1::GiveFeedbackRequest* request,
                            v1::GiveFeedbackResponse* response) override;
  grpc::Status Reload(grpc::ServerContext* context, const v1::ReloadRequest* request,
                      v1::ReloadResponse* response) override;
  grpc::Status StartRollout(grpc::ServerContext* context, const v1::StartRolloutRequest* request,
                            v1::RolloutStatus* response) override;
  grpc::Status GetRollout(grpc::ServerContext* context, const v1::GetRolloutRequest* request,
                          v1::RolloutStatus* response) override;
  grpc::Status EndRollout(grpc::ServerContext* context, const v1::EndRolloutRequest* request,
                          v1::RolloutStatus* response) override;
  grpc::Status Drain(grpc::ServerContext* context, const v1::DrainRequest* request,
                     v1::DrainResponse* response) override;

  // Blocks until the change is over.
  absl::StatusOr<ChangeReport> Change(CascadeChange change) const;
  // Says how the rollout stands, after a change that began or ended it.
  grpc::Status Answer(const absl::Status& changed, const std::string& model,
                      v1::RolloutStatus* response) const;
  // The model of that name; the only one there is when `name` is empty.
  absl::StatusOr<std::shared_ptr<ServedModel>> Find(const std::string& name) const;
  ControlLoop::Mode PlanMode(const ServedModel& model) const;

  ServerState* const state_;
  const std::vector<Device> devices_;
  const std::function<void()> request_drain_;
  const ChangeCascades change_cascades_;
  const TimePoint started_ = Clock::now();
};

}  // namespace escan
