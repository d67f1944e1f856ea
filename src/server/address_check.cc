#include "server/address_check.h"

#include <optional>

#include "config/address.h"
#include "server/listening_sockets.h"
#include "server/unix_socket_path.h"

namespace escan {

absl::Status CheckAddressIsFree(const std::string& address) {
  if (const std::optional<std::string> path = UnixPathOf(address)) return PrepareSocketPath(*path);
  return BindSockets(address).status();
}

}  // namespace escan
