#include "server/metrics/metrics_server.h"

#include <prometheus/exposer.h>

#include <exception>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace escan {

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const ServerState* state,
                                                                    const std::string& address) {
  // A connection that says nothing, as of a probe, holds a thread until its time is over.
  const std::vector<std::string> options = {"listening_ports",    address, "num_threads", "16",
                                            "request_timeout_ms", "1000"};
  std::unique_ptr<prometheus::Exposer> exposer;
  try {
    exposer = std::make_unique<prometheus::Exposer>(options);
  } catch (const std::exception&) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address,
                     ": the address is in use or does not belong to this machine"));
  }
  std::unique_ptr<MetricsServer> server(new MetricsServer(state, std::move(exposer)));
  server->address_ = absl::StrCat(address.substr(0, address.rfind(':')), ":",
                                  server->exposer_->GetListeningPorts().front());
  return server;
}

MetricsServer::MetricsServer(const ServerState* state, std::unique_ptr<prometheus::Exposer> exposer)
    : collector_(std::make_shared<MetricsCollector>(state)), exposer_(std::move(exposer)) {
  exposer_->RegisterCollectable(collector_);
}

MetricsServer::~MetricsServer() = default;

}  // namespace escan
