#include "server/rest/rest_server.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "server/protocol/rest_request.h"

namespace escan {
namespace {

constexpr int kConnections = 1024;

size_t MaxBodyBytes(const ServerState& state) {
  size_t bytes = 0;
  for (const std::shared_ptr<ServedModel>& model : state.models()) {
    bytes = std::max(bytes, MaxRestRequestBytes(model->cascade()));
  }
  return bytes;
}

// Reading JSON is work, so half the processors may do it at a time.
int Threads() {
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency() / 2, 2u, 8u));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RestServer>> RestServer::Start(ServerState* state,
                                                              const HttpConfig& config,
                                                              int descriptor_ceiling) {
  std::unique_ptr<RestServer> server(new RestServer(state, config));
  HttpServer::Options options;
  options.name = "rest";
  options.threads = Threads();
  options.connections = kConnections;
  options.body_bytes = MaxBodyBytes(*state);
  absl::StatusOr<std::unique_ptr<HttpListener>> listener = HttpListener::Start(
      config.listen, descriptor_ceiling, std::move(options),
      [service = &server->service_](std::shared_ptr<HttpExchange> exchange) {
        service->Handle(std::move(exchange));
      },
      [state] { state->CountRefusedConnection(); });
  if (!listener.ok()) return listener.status();
  server->listener_ = *std::move(listener);
  return server;
}

}  // namespace escan
