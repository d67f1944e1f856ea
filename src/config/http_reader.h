#pragma once

#include "config/config.h"
#include "config/node_reader.h"

namespace escan {

// The value of `http`; addresses of `server` are taken.
HttpConfig ReadHttp(const NodeReader& node, const ServerConfig& server);

}  // namespace escan
