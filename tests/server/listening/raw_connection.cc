#include "server/listening/raw_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <limits>

#include "gtest/gtest.h"

namespace escan {

RawConnection::RawConnection(const std::string& address) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  const auto port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  sockaddr_in ipv4{.sin_family = AF_INET, .sin_port = port};
  sockaddr_in6 ipv6{.sin6_family = AF_INET6, .sin6_port = port};
  const bool is_ipv4 = inet_pton(AF_INET, host.c_str(), &ipv4.sin_addr) == 1;
  if (!is_ipv4) {
    host = host.substr(1, host.size() - 2);
    EXPECT_EQ(inet_pton(AF_INET6, host.c_str(), &ipv6.sin6_addr), 1) << address;
  }
  socket_.reset(socket(is_ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience = {.tv_sec = 60, .tv_usec = 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  const auto* const generic =
      is_ipv4 ? reinterpret_cast<const sockaddr*>(&ipv4) : reinterpret_cast<const sockaddr*>(&ipv6);
  const socklen_t size = is_ipv4 ? sizeof(ipv4) : sizeof(ipv6);
  if (connect(socket_.get(), generic, size) != 0) socket_.reset();
}

void RawConnection::Send(const std::string& bytes) const {
  EXPECT_EQ(send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}

std::string RawConnection::Read(size_t size) const {
  std::string read;
  while (read.size() < size) {
    char block[4096];
    const ssize_t count =
        recv(socket_.get(), block, std::min(sizeof(block), size - read.size()), 0);
    EXPECT_FALSE(count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) << "nothing came";
    if (count <= 0) break;
    read.append(block, static_cast<size_t>(count));
  }
  return read;
}

std::string RawConnection::ReadAll() const { return Read(std::numeric_limits<size_t>::max()); }

}  // namespace escan
