#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/server_state.h"

namespace grpc {
class Server;
}

namespace escan {

class InferenceService;

// The address that clients use: the inference service, health and reflection. `state` outlives it.
// The destructor cancels what is still open.
class InferenceServer {
 public:
  // Unavailable when `listen` cannot be bound.
  static absl::StatusOr<std::unique_ptr<InferenceServer>> Start(ServerState* state,
                                                                const std::string& listen);
  ~InferenceServer();

  const std::string& address() const { return address_; }

  // Tells the clients of grpc.health.v1 what `state` says now.
  void PublishHealth();
  void DrainStreams();
  // Accepts no more calls, waits for those that are open until `deadline`, then cancels them.
  void Shutdown(TimePoint deadline);

 private:
  explicit InferenceServer(ServerState* state);

  ServerState* const state_;
  const std::unique_ptr<InferenceService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace escan
