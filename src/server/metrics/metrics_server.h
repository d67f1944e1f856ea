#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/metrics/metrics_collector.h"

namespace prometheus {
class Exposer;
}

namespace escan {

// The port that Prometheus reads, http://ADDR:PORT/metrics. Some connections that say nothing do
// not hold up the others. `state` outlives it.
class MetricsServer {
 public:
  // Unavailable when `address` cannot be bound.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const ServerState* state,
                                                              const std::string& address);
  ~MetricsServer();

  const std::string& address() const { return address_; }  // with the port that was bound

 private:
  MetricsServer(const ServerState* state, std::unique_ptr<prometheus::Exposer> exposer);

  const std::shared_ptr<MetricsCollector> collector_;
  const std::unique_ptr<prometheus::Exposer> exposer_;
  std::string address_;
};

}  // namespace escan
