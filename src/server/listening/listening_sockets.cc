#include "server/listening/listening_sockets.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "config/address.h"

namespace escan {
namespace {

absl::Status CannotListen(const std::string& address, const char* reason) {
  return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ", reason));
}

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;

  sockaddr* generic() { return reinterpret_cast<sockaddr*>(&address); }
  const sockaddr* generic() const { return reinterpret_cast<const sockaddr*>(&address); }
  // The port's bytes lie at the same place in both families.
  uint16_t& port() { return reinterpret_cast<sockaddr_in*>(&address)->sin_port; }
};
static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));

void SwitchOn(const UniqueFd& socket, int level, int option, int on = 1) {
  setsockopt(socket.get(), level, option, &on, sizeof(on));
}

// None, with errno, when it cannot be bound.
UniqueFd Bind(const Endpoint& endpoint, bool both_families) {
  UniqueFd bound(socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!bound) return bound;
  // Connections that linger from an earlier server do not matter.
  SwitchOn(bound, SOL_SOCKET, SO_REUSEADDR);
  if (endpoint.address.ss_family == AF_INET6) {
    SwitchOn(bound, IPPROTO_IPV6, IPV6_V6ONLY, both_families ? 0 : 1);
  }
  if (bind(bound.get(), endpoint.generic(), endpoint.size) == 0) return bound;
  const int error = errno;
  bound.reset();
  errno = error;
  return bound;
}

ListeningSockets Result(UniqueFd socket, std::string address) {
  ListeningSockets result;
  result.sockets.push_back(std::move(socket));
  result.address = std::move(address);
  return result;
}

absl::StatusOr<ListeningSockets> BindUnix(const std::string& address, const std::string& path) {
  Endpoint endpoint{.size = sizeof(sockaddr_un)};
  auto& file = reinterpret_cast<sockaddr_un&>(endpoint.address);
  file.sun_family = AF_UNIX;
  if (path.size() >= sizeof(file.sun_path)) return CannotListen(address, "its path is too long");
  path.copy(file.sun_path, path.size());
  UniqueFd socket = Bind(endpoint, false);
  if (!socket) return CannotListen(address, std::strerror(errno));
  return Result(std::move(socket), address);
}

uint16_t PortOf(const UniqueFd& socket) {
  Endpoint bound{.size = sizeof(sockaddr_storage)};
  getsockname(socket.get(), bound.generic(), &bound.size);
  return bound.port();
}

absl::StatusOr<std::vector<Endpoint>> Resolve(const std::string& address) {
  const size_t colon = address.rfind(':');
  absl::string_view host = absl::string_view(address).substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(std::string(host).c_str(), address.substr(colon + 1).c_str(), &hints, &found);
  if (error != 0) return CannotListen(address, gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::vector<Endpoint> endpoints;
  for (const addrinfo* next = found; next != nullptr; next = next->ai_next) {
    Endpoint& endpoint = endpoints.emplace_back();
    std::memcpy(&endpoint.address, next->ai_addr, next->ai_addrlen);
    endpoint.size = next->ai_addrlen;
  }
  return endpoints;
}

bool IsWildcard(const std::string& host) { return host == "0.0.0.0" || host == "[::]"; }

}  // namespace

absl::StatusOr<ListeningSockets> BindSockets(const std::string& address) {
  if (const std::optional<std::string> path = UnixPathOf(address)) return BindUnix(address, *path);
  const std::string host = address.substr(0, address.rfind(':'));
  const std::string port = address.substr(address.rfind(':'));
  if (IsWildcard(host)) {
    const absl::StatusOr<std::vector<Endpoint>> all = Resolve(absl::StrCat("[::]", port));
    UniqueFd socket = all.ok() ? Bind(all->front(), /*both_families=*/true) : UniqueFd();
    if (socket) {
      const uint16_t bound = ntohs(PortOf(socket));
      return Result(std::move(socket), absl::StrCat(host, ":", bound));
    }
    if (all.ok() && errno == EADDRINUSE) return CannotListen(address, std::strerror(errno));
    // The machine has no IPv6.
  }
  absl::StatusOr<std::vector<Endpoint>> endpoints = Resolve(address);
  if (!endpoints.ok()) return endpoints.status();
  ListeningSockets result;
  int first_error = 0;
  uint16_t chosen = 0;  // of the first, where the system chooses one: it is that of all
  for (Endpoint& endpoint : *endpoints) {
    if (endpoint.port() == 0) endpoint.port() = chosen;
    UniqueFd socket = Bind(endpoint, false);
    if (!socket && errno == EADDRINUSE) return CannotListen(address, std::strerror(errno));
    if (!socket) {
      if (first_error == 0) first_error = errno;
      continue;
    }
    chosen = PortOf(socket);
    result.sockets.push_back(std::move(socket));
  }
  if (result.sockets.empty()) return CannotListen(address, std::strerror(first_error));
  result.address = absl::StrCat(host, ":", ntohs(chosen));
  return result;
}

absl::Status StartListening(const ListeningSockets& bound) {
  for (const UniqueFd& socket : bound.sockets) {
    if (listen(socket.get(), SOMAXCONN) != 0) {
      return CannotListen(bound.address, std::strerror(errno));
    }
  }
  return absl::OkStatus();
}

}  // namespace escan
