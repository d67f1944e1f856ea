#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/listening/http_listener.h"
#include "server/metrics/metrics_collector.h"

namespace escan {

// The port that Prometheus reads, http://ADDR:PORT/metrics. `state` outlives it.
class MetricsServer {
 public:
  // Unavailable when `address` cannot be bound. Connections get descriptors below the ceiling.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const ServerState* state,
                                                              const std::string& address,
                                                              int descriptor_ceiling);

  const std::string& address() const { return listener_->address(); }

 private:
  explicit MetricsServer(const ServerState* state) : collector_(state) {}

  HttpResponse Respond(const HttpRequest& request) const;

  const MetricsCollector collector_;
  std::unique_ptr<HttpListener> listener_;
};

}  // namespace escan
