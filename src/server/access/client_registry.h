#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
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

}  // namespace escan
