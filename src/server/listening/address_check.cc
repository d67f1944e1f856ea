#include "server/listening/address_check.h"

#include <optional>

#include "config/address.h"
#include "server/listening/listening_sockets.h"
#include "server/listening/unix_socket_path.h"

namespace escan {

absl::Status CheckAddressIsFree(const std::string& address) {
  if (const std::optional<std::string> path = UnixPathOf(address)) return PrepareSocketPath(*path);
  return BindSockets(address).status();
}

}  // namespace escan
