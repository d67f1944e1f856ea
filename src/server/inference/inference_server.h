#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "server/deployment/cascade_change.h"
#include "server/inference/server_state.h"

namespace escan {

class GrpcListener;
class InferenceService;

// The address that clients use: the inference service, health and reflection. `state` outlives it.
// The destructor cancels what is still open.
class InferenceServer {
 public:
  // Cascades that come later may have requests of this many bytes, or as many as any had at the
  // start.
  static constexpr size_t kRoomForMessages = size_t{32} << 20;

  struct Options {
    std::string listen;
    std::optional<TlsConfig> tls;
    int descriptor_ceiling = 0;        // of connections
    std::function<void()> on_change;   // see Start
    ChangeCascades change_cascades{};  // null: clients cannot
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
  InferenceServer(ServerState* state, ChangeCascades change_cascades);

  ServerState* const state_;
  const std::unique_ptr<InferenceService> service_;
  std::unique_ptr<GrpcListener> listener_;
  std::set<std::string> published_;  // cascades whose health was told
};

}  // namespace escan
