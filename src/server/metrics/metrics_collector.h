#pragma once

#include <prometheus/collectable.h>

#include <vector>

#include "server/inference/server_state.h"

namespace escan {

// Reads what the engines and the front end counted whenever Prometheus asks; nothing is done per
// request. `state` outlives the collector. Any thread; blocks until each engine has answered.
class MetricsCollector final : public prometheus::Collectable {
 public:
  explicit MetricsCollector(const ServerState* state) : state_(state) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const ServerState* const state_;
};

}  // namespace escan
