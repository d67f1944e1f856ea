#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ipc/unique_fd.h"

namespace escan {

// Sockets that listen where a server's address says.
struct ListeningSockets {
  std::vector<UniqueFd> sockets;  // non-blocking, closed on exec
  std::string address;            // of TCP with the port that was bound
};

// Binds all that `address` stands for: unix:PATH, whose file must not exist; ADDR:PORT, where a
// name may have several addresses and is content with those that the machine has, and where 0.0.0.0
// and [::] both mean all of IPv4 and IPv6. Nobody can connect before StartListening. Unavailable
// naming the address and the reason when none can be bound, or one is somebody else's: some clients
// would reach that one. Blocks for the lookup of a host's name.
absl::StatusOr<ListeningSockets> BindSockets(const std::string& address);

// Unavailable naming the address when it became somebody else's.
absl::Status StartListening(const ListeningSockets& bound);

}  // namespace escan
