#include "server/metrics_server.h"

#include <prometheus/exposer.h>

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const ServerState* state,
                                                                    const std::string& address) {
  constexpr size_t kThreads = 1;
  std::unique_ptr<prometheus::Exposer> exposer;
  try {
    exposer = std::make_unique<prometheus::Exposer>(address, kThreads);
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
