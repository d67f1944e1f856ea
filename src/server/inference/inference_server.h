#pragma once

#include <functional>
#include <memory>
#include <optional>
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
  struct Options {
    std::string listen;
    std::optional<TlsConfig> tls;
    int descriptor_ceiling = 0;       // of connections
    std::function<void()> on_change;  // see Start
  };

  // Unavailable when `listen` cannot be bound. When there are no descriptors left for connections
  // `state` is told and `on_change` called, from another thread, and again when there are.
  static absl::StatusOr<std::unique_ptr<InferenceServer>> Start(ServerState* state,
                                                                Options options);
  ~InferenceServer();

  const std::string& address() const;

  // Whether a call that this process makes to itself is answered before `deadline`.
  bool Answers(TimePoint deadline);

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
