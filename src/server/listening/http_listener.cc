#include "server/listening/http_listener.h"

#include <utility>

#include "server/listening/listening_sockets.h"

namespace escan {

absl::StatusOr<std::unique_ptr<HttpListener>> HttpListener::Start(
    const std::string& address, int descriptor_ceiling, HttpServer::Options options,
    HttpHandler handler, std::function<void()> on_refused) {
  absl::StatusOr<ListeningSockets> bound = BindSockets(address);
  if (!bound.ok()) return bound.status();
  std::unique_ptr<HttpListener> listener(
      new HttpListener(std::move(options), std::move(handler), on_refused));
  listener->address_ = bound->address;
  if (absl::Status status = StartListening(*bound); !status.ok()) return status;
  listener->acceptor_ = std::make_unique<Acceptor>(
      *std::move(bound), descriptor_ceiling,
      Acceptor::Listener{
          .on_connection = [server = &listener->server_](
                               UniqueFd connection) { server->Take(std::move(connection)); },
          .on_refused = std::move(on_refused),
          .on_change =
              [name = listener->address_](bool accepting) { LogAccepting(name, accepting); }});
  return listener;
}

void HttpListener::Shutdown(TimePoint deadline) {
  acceptor_.reset();
  server_.Drain(deadline);
}

}  // namespace escan
