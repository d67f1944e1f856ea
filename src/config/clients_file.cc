#include "config/clients_file.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "config/files.h"
#include "config/mistakes.h"
#include "config/node_reader.h"

namespace escan {
namespace {

constexpr double kMostPerSecond = 1e9;
constexpr int kMostConcurrent = 1'000'000;

bool IsHexOfHash(const std::string& text) {
  return text.size() == 2 * sizeof(TokenHash) &&
         std::ranges::all_of(text, [](unsigned char c) { return absl::ascii_isxdigit(c); });
}

absl::StatusOr<TokenHash> ParseHash(const std::string& text) {
  if (!IsHexOfHash(text)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected the 64 hexadecimal digits that `printf %s TOKEN | sha256sum` prints, found ",
        text.size(), " characters"));
  }
  const std::string bytes = absl::HexStringToBytes(text);
  TokenHash hash;
  std::ranges::copy(bytes, hash.begin());
  return hash;
}

absl::StatusOr<std::string> ParseName(const std::string& text) {
  const auto allowed = [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
  };
  if (!text.empty() && text.size() <= 64 && std::ranges::all_of(text, allowed)) return text;
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is not a name, expected 1 to 64 of A-Z a-z 0-9 - _ ."));
}

ClientConfig ReadClient(const NodeReader& node) {
  const MapReader map(
      node, {"name", "token_sha256", "requests_per_second", "rows_per_second", "concurrent"});
  ClientConfig client;
  client.name = map.Required("name").AsParsed(ParseName).value_or("");
  client.token = map.Required("token_sha256").AsParsed(ParseHash).value_or(TokenHash{});
  client.requests_per_second =
      map["requests_per_second"].AsNumber(0.001, kMostPerSecond).value_or(ClientConfig::kNoLimit);
  client.rows_per_second =
      map["rows_per_second"].AsNumber(0.001, kMostPerSecond).value_or(ClientConfig::kNoLimit);
  client.concurrent = map["concurrent"].AsInt(1, kMostConcurrent).value_or(client.concurrent);
  return client;
}

void CheckDiffers(const NodeReader& node, const ClientConfig& client,
                  const std::vector<ClientConfig>& others) {
  for (const ClientConfig& other : others) {
    if (!client.name.empty() && other.name == client.name) {
      node.AddMistake(absl::StrCat("there is another client named ", client.name));
    }
    if (client.token != TokenHash{} && SameHash(other.token, client.token)) {
      node.AddMistake(absl::StrCat("has the token of client ", other.name));
    }
  }
}

}  // namespace

TokenHash HashOf(const std::string& token) {
  TokenHash hash;
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), hash.data());
  return hash;
}

bool SameHash(const TokenHash& a, const TokenHash& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

absl::StatusOr<std::vector<ClientConfig>> LoadClients(const std::filesystem::path& file) {
  const absl::StatusOr<std::string> yaml = ReadFile(file);
  if (!yaml.ok()) return absl::InvalidArgumentError(yaml.status().message());
  Mistakes mistakes(file.string());
  const MapReader map(NodeReader::Parse(*yaml, &mistakes), {"clients"});
  std::vector<ClientConfig> clients;
  for (const NodeReader& node : map.Required("clients").AsList(1, kMaxClients)) {
    ClientConfig client = ReadClient(node);
    CheckDiffers(node, client, clients);
    clients.push_back(std::move(client));
  }
  if (absl::Status status = mistakes.ToStatus(); !status.ok()) return status;
  return clients;
}

}  // namespace escan
