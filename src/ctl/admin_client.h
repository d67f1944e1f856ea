#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/direct_channel.h"
#include "escan/v1/admin.pb.h"

namespace escan::ctl {

// The daemon's escan.v1 interface. Every call blocks for at most its `timeout`. Unavailable means
// that no daemon could be reached and names the address; other errors are the daemon's own.
class AdminClient {
 public:
  // `address` is unix:PATH or ADDR:PORT. Does not connect yet.
  explicit AdminClient(const std::string& address, const ChannelSecurity& security = {});
  ~AdminClient();

  absl::StatusOr<v1::GetStatusResponse> GetStatus(absl::Duration timeout);
  absl::StatusOr<v1::GetHealthResponse> GetHealth(absl::Duration timeout);
  absl::StatusOr<v1::GetPlanResponse> GetPlan(const v1::GetPlanRequest& request,
                                              absl::Duration timeout);
  absl::StatusOr<v1::SetPlanResponse> SetPlan(const v1::SetPlanRequest& request,
                                              absl::Duration timeout);
  absl::StatusOr<v1::FreezePlanResponse> FreezePlan(const v1::FreezePlanRequest& request,
                                                    absl::Duration timeout);
  absl::StatusOr<v1::ThawPlanResponse> ThawPlan(const v1::ThawPlanRequest& request,
                                                absl::Duration timeout);
  absl::StatusOr<v1::GetPlanHistoryResponse> GetPlanHistory(
      const v1::GetPlanHistoryRequest& request, absl::Duration timeout);
  absl::StatusOr<v1::SetThresholdsResponse> SetThresholds(const v1::SetThresholdsRequest& request,
                                                          absl::Duration timeout);
  absl::StatusOr<v1::GiveFeedbackResponse> GiveFeedback(const v1::GiveFeedbackRequest& request,
                                                        absl::Duration timeout);
  absl::StatusOr<v1::ReloadResponse> Reload(absl::Duration timeout);
  absl::StatusOr<v1::RolloutStatus> StartRollout(const v1::StartRolloutRequest& request,
                                                 absl::Duration timeout);
  absl::StatusOr<v1::RolloutStatus> GetRollout(const v1::GetRolloutRequest& request,
                                               absl::Duration timeout);
  absl::StatusOr<v1::RolloutStatus> EndRollout(const v1::EndRolloutRequest& request,
                                               absl::Duration timeout);
  absl::StatusOr<v1::DrainResponse> Drain(absl::Duration timeout);

  // Blocks until the connection that an earlier call made is gone and cannot be made again, which
  // is when the daemon has ended.
  void WaitUntilGone();

 private:
  class Impl;

  std::unique_ptr<Impl> impl_;
};

}  // namespace escan::ctl
