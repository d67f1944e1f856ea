#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace escan {

// Addresses that a server listens on, from a configuration or a flag. The value is what to listen
// on; errors are InvalidArgument and say what was found and what was expected.

// ADDR:PORT. ADDR is an IPv4 address, an IPv6 address in brackets, or localhost; port 0 lets the
// system choose one.
absl::StatusOr<std::string> ParseListenAddress(const std::string& text);

// The same; or off (also: an empty text) for none, which gives an empty value.
absl::StatusOr<std::string> ParseOptionalAddress(const std::string& text);

// unix:PATH, or ADDR:PORT with a loopback address: who reaches it controls the daemon.
absl::StatusOr<std::string> ParseAdminAddress(const std::string& text);

// PATH of unix:PATH; nullopt for any other address.
std::optional<std::string> UnixPathOf(const std::string& address);

}  // namespace escan
