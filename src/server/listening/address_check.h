#pragma once

#include <string>

#include "absl/status/status.h"

namespace escan {

// Whether a server could listen on `address`, unix:PATH or ADDR:PORT, by binding it for a moment;
// of a unix socket the place is prepared, see PrepareSocketPath. For finding out before much else
// is started: somebody may take the address afterwards. Unavailable naming the address when no
// server could, else what PrepareSocketPath says. Blocks for the lookup of a host's name.
absl::Status CheckAddressIsFree(const std::string& address);

}  // namespace escan
