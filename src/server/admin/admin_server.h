#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/deployment/cascade_change.h"
#include "server/inference/server_state.h"

namespace escan {

class AdminService;
class GrpcListener;

// The address that operators use: a unix socket, which its owner and group may use, or a loopback
// port. Beside it nothing but the admin service is reachable there. The destructor ends the server
// and removes the socket.
class AdminServer {
 public:
  struct Options {
    std::vector<Device> devices;
    std::string address;
    std::optional<TlsConfig> tls{};
    int descriptor_ceiling = 0;  // of connections
    std::function<void()> request_drain;
    ChangeCascades change_cascades{};
  };

  // Unavailable when the address cannot be bound or another process answers on the socket. A socket
  // that nobody answers on is left from a process that was killed, and replaced.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(ServerState* state, Options options);
  ~AdminServer();

  const std::string& address() const;
  // For an end without destructors.
  void RemoveSocket() const;

 private:
  explicit AdminServer(std::unique_ptr<AdminService> service);

  const std::unique_ptr<AdminService> service_;
  std::filesystem::path socket_;  // empty for TCP
  std::unique_ptr<GrpcListener> listener_;
};

}  // namespace escan
