#pragma once

#include <memory>

#include "config/config.h"
#include "server/inference/server_state.h"

namespace escan {

// What services share, of the only cascade of `config`, whose workers never become ready.
std::unique_ptr<ServerState> StateOf(const Config& config, MpsReporter mps = nullptr);

}  // namespace escan
