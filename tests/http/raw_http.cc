#include "http/raw_http.h"

#include <sys/socket.h>

#include <cstdlib>

#include "gtest/gtest.h"

namespace escan {

RawHttp::RawHttp(HttpServer& server) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
  socket_.reset(ends[0]);
  const timeval patience = {.tv_sec = 60, .tv_usec = 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  server.Take(UniqueFd(ends[1]));
}

void RawHttp::Send(const std::string& text) {
  // A server that refuses reads no further; then it does not matter what was lost.
  (void)send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
}

std::string RawHttp::Read() {
  char piece[4096];
  const ssize_t size = recv(socket_.get(), piece, sizeof(piece), 0);
  EXPECT_TRUE(size >= 0 || errno == ECONNRESET) << "nothing came";
  return size > 0 ? std::string(piece, static_cast<size_t>(size)) : "";
}

std::string RawHttp::Response() {
  size_t end = std::string::npos;
  while (true) {
    const size_t head = unread_.find("\r\n\r\n");
    if (head != std::string::npos) {
      constexpr char kLength[] = "Content-Length: ";
      const size_t length = unread_.find(kLength);
      end = head + 4;
      if (length < head) end += std::stoul(unread_.substr(length + sizeof(kLength) - 1));
      if (unread_.size() >= end) break;
    }
    const std::string more = Read();
    if (more.empty()) break;
    unread_ += more;
  }
  const std::string response = unread_.substr(0, end);
  unread_.erase(0, response.size());
  return response;
}

std::string RawHttp::Rest() {
  while (true) {
    const std::string more = Read();
    if (more.empty()) return std::exchange(unread_, "");
    unread_ += more;
  }
}

}  // namespace escan
