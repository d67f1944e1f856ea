#include "server/admin/server_status.h"

#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>

#include "server/admin/admin_status.h"

namespace escan {
namespace {

void Describe(const RequestCounters::Snapshot& requests, v1::RequestStatus* to) {
  constexpr auto kOk = static_cast<size_t>(absl::StatusCode::kOk);
  to->set_answered(requests.requests[kOk]);
  to->set_failed(std::accumulate(requests.requests.begin(), requests.requests.end(), uint64_t{0}) -
                 requests.requests[kOk]);
  to->mutable_latency_counts()->Add(requests.latency.counts.begin(), requests.latency.counts.end());
}

}  // namespace

v1::GetStatusResponse DescribeServer(const ServerState& state, const std::vector<Device>& devices,
                                     TimePoint started) {
  v1::GetStatusResponse response;
  response.set_version(ESCAN_VERSION);
  SetDuration(Clock::now() - started, response.mutable_uptime());
  response.set_ready(state.ready());
  response.set_draining(state.phase() != Phase::kServing);
  for (size_t i = 0; i < devices.size(); ++i) {
    *response.add_devices() = DescribeDevice(static_cast<int>(i), devices[i]);
  }
  if (const std::optional<MpsReport> mps = state.mps()) {
    *response.mutable_mps() = DescribeMps(*mps);
  }
  const std::shared_ptr<ControlLoop> controller = state.controller();
  for (const std::shared_ptr<ServedModel>& model : state.models()) {
    v1::CascadeStatus& cascade = *response.add_cascades();
    cascade = DescribeStatus(model->config, devices, model->engine->Status(),
                             controller->mode(model->cascade().name));
    cascade.set_version(model->version);
    DescribeAccuracy(model->feedback.accuracy(), &cascade);
    Describe(model->counters.Read(), cascade.mutable_request_status());
  }
  return response;
}

}  // namespace escan
