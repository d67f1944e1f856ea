#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "escan/time.h"
#include "http/http_message.h"
#include "ipc/unique_fd.h"

namespace escan {

// Answers a request, at once or later from another thread. Called on one of the server's threads,
// of which it holds one up while it runs.
using HttpHandler = std::function<void(std::shared_ptr<HttpExchange>)>;

// HTTP/1.1 with keep-alive on connections that somebody else accepts. Few threads wait for all
// connections, so a slow client holds up nobody; what it may hold is bounded by number, bytes and
// time. One request of a connection is answered at a time. Any thread may call everything.
class HttpServer {
 public:
  struct Options {
    std::string name;      // of its threads, at most 15 bytes
    int threads = 2;       // that read, call the handler and write
    int connections = 64;  // open ones; further ones are closed at once
    size_t header_bytes = 16 * 1024;
    size_t body_bytes = 0;                              // of one request
    size_t total_body_bytes = size_t{256} << 20;        // of all requests that are read or answered
    Duration header_time = std::chrono::seconds(10);    // from the connection to its first request
    Duration idle_time = std::chrono::seconds(75);      // until the next request is there
    Duration progress_time = std::chrono::seconds(10);  // until more of a body comes
    Duration body_time = std::chrono::minutes(1);       // for a whole body
    Duration write_time = std::chrono::seconds(30);     // for a whole response
  };

  // `on_refused` is called for each connection beyond the limit, by who gives it.
  HttpServer(
      Options options, HttpHandler handler, std::function<void()> on_refused = [] {});
  // Closes all connections. Every exchange must have been answered.
  ~HttpServer();

  // Serves a connected stream socket; does not block.
  void Take(UniqueFd connection);

  // Closes idle connections, and the others once they have their answer; waits until all are
  // closed, at most until `deadline`.
  void Drain(TimePoint deadline);

 private:
  class Core;
  const std::unique_ptr<Core> core_;
};

}  // namespace escan
