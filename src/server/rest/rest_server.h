#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "config/config.h"
#include "server/inference/server_state.h"
#include "server/listening/http_listener.h"
#include "server/rest/rest_service.h"

namespace escan {

// The address that clients of the protocol over HTTP use. `state` outlives it.
class RestServer {
 public:
  // Unavailable when the address cannot be bound. Connections get descriptors below the ceiling.
  static absl::StatusOr<std::unique_ptr<RestServer>> Start(ServerState* state,
                                                           const HttpConfig& config,
                                                           int descriptor_ceiling);

  const std::string& address() const { return listener_->address(); }
  // Takes no more connections, and waits until those that are open have their answers and are
  // closed, at most until `deadline`.
  void Shutdown(TimePoint deadline) { listener_->Shutdown(deadline); }

 private:
  RestServer(ServerState* state, const HttpConfig& config)
      : service_(state, config.allow_origins) {}

  const RestService service_;
  std::unique_ptr<HttpListener> listener_;
};

}  // namespace escan
