#pragma once

#include <filesystem>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc/unique_fd.h"
#include "mps/mps_control.h"

namespace escan {

// The folder of one MPS control daemon: its pipes, its logs, and a lock that keeps a second server
// out. The destructor removes what is in it, and the folder itself where Acquire() made it.
class MpsDirectory {
 public:
  // `root` is absolute and its parent exists. AlreadyExists when another process holds the lock;
  // what such a process left when it was killed is taken over.
  static absl::StatusOr<MpsDirectory> Acquire(const std::filesystem::path& root);
  MpsDirectory(MpsDirectory&&) noexcept = default;
  MpsDirectory& operator=(MpsDirectory&&) = delete;
  ~MpsDirectory();

  const std::filesystem::path& root() const { return root_; }
  MpsControl::Directories paths() const { return {.pipe = root_ / "pipe", .log = root_ / "log"}; }

  // Removes what an earlier daemon left among the pipes. Its logs stay.
  absl::Status ClearPipes() const;

 private:
  MpsDirectory(std::filesystem::path root, bool made_root, UniqueFd lock)
      : root_(std::move(root)), made_root_(made_root), lock_(std::move(lock)) {}

  std::filesystem::path root_;
  bool made_root_;
  UniqueFd lock_;
};

}  // namespace escan
