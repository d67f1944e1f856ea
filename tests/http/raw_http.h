#pragma once

#include <string>

#include "http/http_server.h"
#include "ipc/unique_fd.h"

namespace escan {

// One client's connection to a server, by hand. Reads give up after a minute, failing the test.
class RawHttp {
 public:
  explicit RawHttp(HttpServer& server);

  void Send(const std::string& text);
  // A response, headers and body by its Content-Length.
  std::string Response();
  // What comes until the server closes the connection.
  std::string Rest();
  void Close() { socket_.reset(); }

 private:
  // Empty at the connection's end.
  std::string Read();

  UniqueFd socket_;
  std::string unread_;
};

}  // namespace escan
