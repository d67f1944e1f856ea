#pragma once

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"

namespace escan {

// The text of a file. NotFound when there is none, else InvalidArgument; messages name the file.
absl::StatusOr<std::string> ReadFile(const std::filesystem::path& file);

// Where a name that is relative to `folder` lies.
std::filesystem::path AbsolutePath(const std::filesystem::path& folder, const std::string& name);

}  // namespace escan
