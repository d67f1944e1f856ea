#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc/unique_fd.h"

namespace escan {

// A folder in which any number of workers keep what takes long to find out, a file for each thing.
// A file is written beside its place and then renamed, so a reader sees a whole one. Thread-safe.
class CacheFolder {
 public:
  // An empty `folder` keeps and finds nothing.
  explicit CacheFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path FileOf(std::string_view name) const { return folder_ / name; }

  // The content of a file; NotFound when there is none.
  absl::StatusOr<std::string> Read(std::string_view name) const;

  // Makes the folder where there is none. The error names the file, of which nothing is left.
  absl::Status Write(std::string_view name, std::string_view content) const;

  // Waits until no other process works out what the file is to hold; others wait while the
  // descriptor is open. Then Read() again: the other one has found it. Not a descriptor where there
  // is no folder or it cannot be locked: then all work it out.
  UniqueFd Reserve(std::string_view name) const;

 private:
  const std::filesystem::path folder_;
};

}  // namespace escan
