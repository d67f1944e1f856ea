#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/inference/server_state.h"

namespace escan {

class GrpcListener;
class InferenceService;

// The address that clients use: the inference service, health and reflection. `state` outlives it.
// The destructor cancels what is still open.
class InferenceServer {
 public:
  // Unavailable when `listen` cannot be bound. Connections get descriptors below the ceiling; when
  // there are no such left `state` is told and `on_change` called, from another thread, and again
  // when there are.
  static absl::StatusOr<std::unique_ptr<InferenceServer>> Start(ServerState* state,
                                                                const std::string& listen,
                                                                int descriptor_ceiling,
                                                                std::function<void()> on_change);
  ~InferenceServer();

  const std::string& address() const;

  // Tells the clients of grpc.health.v1 what `state` says now.
  void PublishHealth();
  void DrainStreams();
  // Accepts no more calls, waits for those that are open until `deadline`, then cancels them.
  void Shutdown(TimePoint deadline);

 private:
  explicit InferenceServer(ServerState* state);

  ServerState* const state_;
  const std::unique_ptr<InferenceService> service_;
  std::unique_ptr<GrpcListener> listener_;
};

}  // namespace escan
