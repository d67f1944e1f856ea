#include "ctl/admin_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "absl/strings/str_cat.h"
#include "escan/v1/admin.grpc.pb.h"

namespace escan::ctl {

class AdminClient::Impl {
 public:
  Impl(const std::string& address, const ChannelSecurity& security)
      : address_(address),
        channel_(OpenDirectChannel(address, {}, security)),
        stub_(v1::AdminService::NewStub(channel_)) {}

  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (v1::AdminService::Stub::*method)(grpc::ClientContext*,
                                                                               const Request&,
                                                                               Response*),
                                const Request& request, absl::Duration timeout) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    Response response;
    const grpc::Status status = (stub_.get()->*method)(&context, request, &response);
    if (status.ok()) return response;
    const auto code = static_cast<absl::StatusCode>(status.error_code());
    if (code == absl::StatusCode::kUnavailable) {
      return absl::UnavailableError(
          absl::StrCat("no daemon answers at ", address_, ": ", status.error_message()));
    }
    if (code == absl::StatusCode::kDeadlineExceeded) {
      return absl::DeadlineExceededError(absl::StrCat(
          "the daemon at ", address_, " did not answer within ", absl::FormatDuration(timeout)));
    }
    return absl::Status(code, status.error_message());
  }

  // Blocks until the channel is not connected any more.
  void WaitForDisconnect() {
    channel_->WaitForStateChange(GRPC_CHANNEL_READY, std::chrono::system_clock::time_point::max());
  }

 private:
  const std::string address_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::AdminService::Stub> stub_;
};

AdminClient::AdminClient(const std::string& address, const ChannelSecurity& security)
    : impl_(std::make_unique<Impl>(address, security)) {}
AdminClient::~AdminClient() = default;

absl::StatusOr<v1::GetStatusResponse> AdminClient::GetStatus(absl::Duration timeout) {
  return impl_->Call(&v1::AdminService::Stub::GetStatus, v1::GetStatusRequest(), timeout);
}

absl::StatusOr<v1::GetHealthResponse> AdminClient::GetHealth(absl::Duration timeout) {
  return impl_->Call(&v1::AdminService::Stub::GetHealth, v1::GetHealthRequest(), timeout);
}

absl::StatusOr<v1::GetPlanResponse> AdminClient::GetPlan(const v1::GetPlanRequest& request,
                                                         absl::Duration timeout) {
  return impl_->Call(&v1::AdminService::Stub::GetPlan, request, timeout);
}

absl::StatusOr<v1::SetPlanResponse> AdminClient::SetPlan(const v1::SetPlanRequest& request,
                                                         absl::Duration timeout) {
  return impl_->Call(&v1::AdminService::Stub::SetPlan, request, timeout);
}

absl::StatusOr<v1::FreezePlanResponse> AdminClient::FreezePlan(const v1::FreezePlanRequest& request,
                                                               absl::Duration timeout) {
  return impl_->Call(&v1::AdminService::Stub::FreezePlan, request, timeout);
}

absl::StatusOr<v1::ThawPlanResponse> AdminClient::ThawPlan(const v1::ThawPlanRequest& request,
                                                           absl::Duration timeout) {
  return impl_->Call(&v1::AdminService::Stub::ThawPlan, request, timeout);
}

absl::StatusOr<v1::GetPlanHistoryResponse> AdminClient::GetPlanHistory(
    const v1::GetPlanHistoryRequest& request, absl::Duration timeout) {
  return impl_->Call(&v1::AdminService::Stub::GetPlanHistory, request, timeout);
}

absl::StatusOr<v1::SetThresholdsResponse> AdminClient::SetThresholds(
    const v1::SetThresholdsRequest& request, absl::Duration timeout) {
  return impl_->Call(&v1::AdminService::Stub::SetThresholds, request, timeout);
}

absl::StatusOr<v1::GiveFeedbackResponse> AdminClient::GiveFeedback(
    const v1::GiveFeedbackRequest& request, absl::Duration timeout) {
  return impl_->Call(&v1::AdminService::Stub::GiveFeedback, request, timeout);
}

absl::StatusOr<v1::ReloadResponse> AdminClient::Reload(absl::Duration timeout) {
  return impl_->Call(&v1::AdminService::Stub::Reload, v1::ReloadRequest(), timeout);
}

absl::StatusOr<v1::RolloutStatus> AdminClient::StartRollout(const v1::StartRolloutRequest& request,
                                                            absl::Duration timeout) {
  return impl_->Call(&v1::AdminService::Stub::StartRollout, request, timeout);
}

absl::StatusOr<v1::RolloutStatus> AdminClient::GetRollout(const v1::GetRolloutRequest& request,
                                                          absl::Duration timeout) {
  return impl_->Call(&v1::AdminService::Stub::GetRollout, request, timeout);
}

absl::StatusOr<v1::RolloutStatus> AdminClient::EndRollout(const v1::EndRolloutRequest& request,
                                                          absl::Duration timeout) {
  return impl_->Call(&v1::AdminService::Stub::EndRollout, request, timeout);
}

absl::StatusOr<v1::DrainResponse> AdminClient::Drain(absl::Duration timeout) {
  return impl_->Call(&v1::AdminService::Stub::Drain, v1::DrainRequest(), timeout);
}

void AdminClient::WaitUntilGone() {
  // A daemon may close connections while it still serves new ones, so ask again after each change.
  constexpr absl::Duration kProbe = absl::Seconds(1);
  do {
    impl_->WaitForDisconnect();
  } while (GetHealth(kProbe).status().code() != absl::StatusCode::kUnavailable);
}

}  // namespace escan::ctl
