#pragma once

#include <chrono>
#include <string>

#include "ipc/unique_fd.h"

namespace escan {

// A client's TCP connection without any protocol. `address` is ADDR:PORT with an IPv4 address, or
// an IPv6 address in brackets. Reads give up after a minute, which fails the test.
class RawConnection {
 public:
  explicit RawConnection(const std::string& address);

  bool connected() const { return static_cast<bool>(socket_); }
  void Send(const std::string& bytes) const;
  // Exactly that many bytes, fewer when the other side closes first.
  std::string Read(size_t size) const;
  // Until the other side closes.
  std::string ReadAll() const;

 private:
  UniqueFd socket_;
};

}  // namespace escan
