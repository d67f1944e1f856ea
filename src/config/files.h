#pragma once

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace escan {

// Whether there is a file, not a folder, that this process may read. NotFound when there is none,
// else InvalidArgument; messages name the file and say why.
absl::Status CheckReadable(const std::filesystem::path& file);

// The text of a file; errors as of CheckReadable.
absl::StatusOr<std::string> ReadFile(const std::filesystem::path& file);

// Writes a file beside its place and then renames it, so that a reader sees the old one or the
// whole new one. The error names the file.
absl::Status ReplaceFile(const std::filesystem::path& file, const std::string& text);

// Where a name that is relative to `folder` lies.
std::filesystem::path AbsolutePath(const std::filesystem::path& folder, const std::string& name);

}  // namespace escan
