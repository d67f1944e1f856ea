#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace escan {

// SHA-256 of a token. Tokens are long and random, so nobody finds one by its hash.
using TokenHash = std::array<uint8_t, 32>;

TokenHash HashOf(const std::string& token);

// Whether they are equal; takes as long for any two.
bool SameHash(const TokenHash& a, const TokenHash& b);

// One of those that may ask, and how much.
struct ClientConfig {
  static constexpr double kNoLimit = std::numeric_limits<double>::infinity();

  std::string name;  // in logs and metrics
  TokenHash token{};
  double requests_per_second = kNoLimit;
  double rows_per_second = kNoLimit;
  int concurrent = std::numeric_limits<int>::max();  // requests inside

  friend bool operator==(const ClientConfig&, const ClientConfig&) = default;
};

// Metrics have a time series for each, so there may not be more.
inline constexpr size_t kMaxClients = 256;

// Reads a file of clients. InvalidArgument has one line a mistake, each with file, line and path.
absl::StatusOr<std::vector<ClientConfig>> LoadClients(const std::filesystem::path& file);

}  // namespace escan
