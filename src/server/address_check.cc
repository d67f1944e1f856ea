#include "server/address_check.h"

#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "config/address.h"
#include "ipc/unique_fd.h"
#include "server/unix_socket_path.h"

namespace escan {
namespace {

absl::Status CannotListen(const std::string& address, const char* reason) {
  return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ", reason));
}

// 0 or the errno.
int Bind(const addrinfo& candidate) {
  const UniqueFd probe(socket(candidate.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!probe) return errno;
  // As servers do: connections that linger from an earlier one do not matter.
  const int on = 1;
  setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  return bind(probe.get(), candidate.ai_addr, candidate.ai_addrlen) == 0 ? 0 : errno;
}

}  // namespace

absl::Status CheckAddressIsFree(const std::string& address) {
  if (const std::optional<std::string> path = UnixPathOf(address)) return PrepareSocketPath(*path);
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
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> candidates(found, &freeaddrinfo);
  // A name may have several addresses, and a server is content with one of them that the machine
  // has. But none may be somebody else's: some clients would reach that one.
  bool any = false;
  int first_error = 0;
  for (const addrinfo* candidate = found; candidate != nullptr; candidate = candidate->ai_next) {
    const int bound = Bind(*candidate);
    if (bound == EADDRINUSE) return CannotListen(address, std::strerror(bound));
    any = any || bound == 0;
    if (first_error == 0) first_error = bound;
  }
  return any ? absl::OkStatus() : CannotListen(address, std::strerror(first_error));
}

}  // namespace escan
