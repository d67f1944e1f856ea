#include "server/access/client_registry.h"

#include <string>

#include "absl/strings/match.h"
#include "config/clients_file.h"

namespace escan {
namespace {

constexpr absl::string_view kScheme = "Bearer ";

std::shared_ptr<Client> FindByName(const std::vector<std::shared_ptr<Client>>& clients,
                                   const std::string& name) {
  for (const std::shared_ptr<Client>& client : clients) {
    if (client->config().name == name) return client;
  }
  return nullptr;
}

}  // namespace

ClientRegistry::ClientRegistry(const std::vector<ClientConfig>& configs,
                               const ClientRegistry* before) {
  for (const ClientConfig& config : configs) {
    std::shared_ptr<Client> known =
        before == nullptr ? nullptr : FindByName(before->clients_, config.name);
    if (known != nullptr && known->config() == config) {
      clients_.push_back(std::move(known));
      continue;
    }
    clients_.push_back(std::make_shared<Client>(config));
    if (known != nullptr) clients_.back()->GoOnFrom(known->Read());
  }
}

absl::StatusOr<std::shared_ptr<Client>> ClientRegistry::Find(
    absl::string_view authorization) const {
  if (authorization.empty()) {
    return absl::UnauthenticatedError(
        "the server asks for a token: send the metadata authorization: Bearer TOKEN");
  }
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) {
    return absl::UnauthenticatedError("the authorization is not of the form Bearer TOKEN");
  }
  const TokenHash hash = HashOf(std::string(authorization.substr(kScheme.size())));
  std::shared_ptr<Client> found;
  for (const std::shared_ptr<Client>& client : clients_) {
    if (SameHash(client->config().token, hash)) found = client;
  }
  if (found == nullptr) return absl::UnauthenticatedError("the token is of no client");
  return found;
}

absl::StatusOr<std::shared_ptr<const ClientRegistry>> ReadClientRegistry(
    const ServerConfig& server, const ClientRegistry* before) {
  if (server.clients.empty()) return nullptr;
  const absl::StatusOr<std::vector<ClientConfig>> clients = LoadClients(server.clients);
  if (!clients.ok()) return clients.status();
  return std::make_shared<const ClientRegistry>(*clients, before);
}

}  // namespace escan
