#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <optional>

#include "config/config.h"

namespace escan {

// What a listener shows its clients and asks of them; null without TLS. The files are looked at
// again every few seconds: connections that are made later meet what is in them. Where certificate
// and key do not belong together, those connections fail until they do.
std::shared_ptr<grpc::ServerCredentials> ServerCredentialsFor(const std::optional<TlsConfig>& tls);

}  // namespace escan
