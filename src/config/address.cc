#include "config/address.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace escan {
namespace {

enum class HostKind { kNone, kLoopback, kOther };

HostKind KindOf(const std::string& host) {
  if (host == "localhost") return HostKind::kLoopback;
  if (in_addr ipv4; inet_pton(AF_INET, host.c_str(), &ipv4) == 1) {
    return ntohl(ipv4.s_addr) >> 24 == 127 ? HostKind::kLoopback : HostKind::kOther;
  }
  if (!host.starts_with('[') || !host.ends_with(']')) return HostKind::kNone;
  in6_addr ipv6;
  if (inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &ipv6) != 1)
    return HostKind::kNone;
  return IN6_IS_ADDR_LOOPBACK(&ipv6) ? HostKind::kLoopback : HostKind::kOther;
}

bool IsPort(const std::string& text) {
  constexpr int kLastPort = 65535;
  int port = 0;
  return text.find_first_not_of("0123456789") == std::string::npos &&
         absl::SimpleAtoi(text, &port) && port <= kLastPort;
}

// kNone when it is not ADDR:PORT.
HostKind KindOfAddress(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || !IsPort(text.substr(colon + 1))) return HostKind::kNone;
  return KindOf(text.substr(0, colon));
}

}  // namespace

absl::StatusOr<std::string> ParseListenAddress(const std::string& text) {
  if (KindOfAddress(text) != HostKind::kNone) return text;
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is not an address, expected ADDR:PORT as in 127.0.0.1:8001, ",
                   "[::1]:8001 or localhost:8001"));
}

absl::StatusOr<std::string> ParseOptionalAddress(const std::string& text) {
  if (text.empty() || text == "off") return std::string();
  return ParseListenAddress(text);
}

absl::StatusOr<std::string> ParseAdminAddress(const std::string& text) {
  constexpr size_t kLongestPath = sizeof(sockaddr_un{}.sun_path) - 1;
  if (const std::optional<std::string> path = UnixPathOf(text)) {
    if (!path->empty() && path->size() <= kLongestPath) return text;
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" has a path of ", path->size(),
                                                   " bytes, expected 1 to ", kLongestPath,
                                                   ", the longest that a socket can have"));
  }
  switch (KindOfAddress(text)) {
    case HostKind::kLoopback:
      return text;
    case HostKind::kOther:
      return absl::InvalidArgumentError(absl::StrCat(
          text, " can be reached from other machines, and whoever reaches it controls ",
          "the daemon; expected unix:PATH or a loopback address"));
    case HostKind::kNone:
      break;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is not an address, expected unix:PATH or a loopback ADDR:PORT ",
                   "as in 127.0.0.1:8003"));
}

std::optional<std::string> UnixPathOf(const std::string& address) {
  constexpr std::string_view kUnix = "unix:";
  if (!address.starts_with(kUnix)) return std::nullopt;
  return address.substr(kUnix.size());
}

}  // namespace escan
