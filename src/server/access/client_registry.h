#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config/config.h"
#include "server/access/client.h"

namespace escan {

// Those that may ask. Immutable, so any thread may use it.
class ClientRegistry {
 public:
  // Clients of `before`, which may be null, go on counting; unchanged ones keep what is left of
  // their limits.
  ClientRegistry(const std::vector<ClientConfig>& configs, const ClientRegistry* before);

  // Whose token is in `authorization`, "Bearer TOKEN". Unauthenticated saying what is wrong, but
  // not which tokens there are. Compares with all of them, whichever it is.
  absl::StatusOr<std::shared_ptr<Client>> Find(absl::string_view authorization) const;

  const std::vector<std::shared_ptr<Client>>& clients() const { return clients_; }

 private:
  std::vector<std::shared_ptr<Client>> clients_;
};

// Those of the server's file of clients; null: there is none, and everybody may ask. `before` as in
// the constructor. InvalidArgument: the file is wrong.
absl::StatusOr<std::shared_ptr<const ClientRegistry>> ReadClientRegistry(
    const ServerConfig& server, const ClientRegistry* before);

}  // namespace escan
