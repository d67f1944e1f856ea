#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "escan/time.h"
#include "http/http_server.h"
#include "server/listening/acceptor.h"

namespace escan {

// A started HTTP server and the thread that takes connections for it. The destructor closes what is
// still open; every exchange must have been answered.
class HttpListener {
 public:
  // Unavailable naming the address and the reason when it cannot be bound: another server's port is
  // never shared. Connections get descriptors below the ceiling; `on_refused` is called for each
  // that is closed at once.
  static absl::StatusOr<std::unique_ptr<HttpListener>> Start(
      const std::string& address, int descriptor_ceiling, HttpServer::Options options,
      HttpHandler handler, std::function<void()> on_refused = [] {});

  const std::string& address() const { return address_; }  // with the port that was bound

  // Takes no more connections; see HttpServer::Drain.
  void Shutdown(TimePoint deadline);

 private:
  HttpListener(HttpServer::Options options, HttpHandler handler, std::function<void()> on_refused)
      : server_(std::move(options), std::move(handler), std::move(on_refused)) {}

  HttpServer server_;
  std::string address_;
  std::unique_ptr<Acceptor> acceptor_;  // hands its connections to the server
};

}  // namespace escan
