#pragma once

#include <filesystem>

#include "absl/status/status.h"

namespace escan {

// Makes a place for a unix socket that is about to be bound: creates its folder if it is missing
// and removes a socket that nobody answers on. AlreadyExists when somebody does, or when something
// else has the name; InvalidArgument when the path is too long for a socket.
absl::Status PrepareSocketPath(const std::filesystem::path& path);

}  // namespace escan
