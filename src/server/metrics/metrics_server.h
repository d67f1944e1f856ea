#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/listening/http_listener.h"
#include "server/metrics/metrics_collector.h"
#include "server/status/status_page.h"

namespace escan {

// The port that Prometheus reads, http://ADDR:PORT/metrics, and people, http://ADDR:PORT/. `state`
// outlives it.
class MetricsServer {
 public:
  // Unavailable when `address` cannot be bound. Connections get descriptors below the ceiling.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const ServerState* state,
                                                              std::vector<Device> devices,
                                                              const std::string& address,
                                                              int descriptor_ceiling);

  const std::string& address() const { return listener_->address(); }

 private:
  MetricsServer(const ServerState* state, std::vector<Device> devices)
      : collector_(state), page_(state, std::move(devices)) {}

  HttpResponse Respond(const HttpRequest& request) const;

  const MetricsCollector collector_;
  const StatusPage page_;
  std::unique_ptr<HttpListener> listener_;
};

}  // namespace escan
