#pragma once

#include <filesystem>
#include <optional>

#include "config/config.h"
#include "config/node_reader.h"

namespace escan {

// Reads `{certificate, key, client_ca}`; nothing where the node is absent. A mistake is also a file
// that cannot be read or holds something else, a key that is not the certificate's, and a
// certificate that has expired or is not valid yet.
std::optional<TlsConfig> ReadTls(const NodeReader& node, const std::filesystem::path& folder);

}  // namespace escan
