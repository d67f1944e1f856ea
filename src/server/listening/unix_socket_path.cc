#include "server/listening/unix_socket_path.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "ipc/unique_fd.h"

namespace escan {
namespace {

constexpr mode_t kFolderMode = 0750;

// Creates the folder and what is missing above it.
absl::Status CreateFolder(const std::filesystem::path& folder) {
  // What cannot be looked at is for mkdir to complain about.
  std::error_code ignored;
  if (folder.empty() || std::filesystem::is_directory(folder, ignored)) return absl::OkStatus();
  if (absl::Status status = CreateFolder(folder.parent_path()); !status.ok()) return status;
  if (mkdir(folder.c_str(), kFolderMode) == 0 || errno == EEXIST) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot create ", folder.string()));
}

// Whether a process accepts connections on the socket.
absl::StatusOr<bool> IsAnswered(const sockaddr_un& address) {
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (probe.get() < 0) return absl::ErrnoToStatus(errno, "cannot create a socket");
  const int result =
      connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  // EAGAIN: its queue of connections is full.
  if (result == 0 || errno == EAGAIN) return true;
  if (errno == ECONNREFUSED) return false;
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot connect to ", address.sun_path));
}

}  // namespace

absl::Status PrepareSocketPath(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.string().size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": ", path.string().size(),
                                                   " bytes, a unix socket's path has at most ",
                                                   sizeof(address.sun_path) - 1));
  }
  std::memcpy(address.sun_path, path.c_str(), path.string().size());
  if (absl::Status status = CreateFolder(path.parent_path()); !status.ok()) return status;
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return absl::ErrnoToStatus(errno, path.string());
  }
  if (!S_ISSOCK(info.st_mode)) {
    return absl::AlreadyExistsError(
        absl::StrCat(path.string(), ": exists and is not a socket; it is left alone"));
  }
  absl::StatusOr<bool> answered = IsAnswered(address);
  if (!answered.ok()) return answered.status();
  if (*answered) {
    return absl::AlreadyExistsError(
        absl::StrCat(path.string(), ": another process answers on this socket"));
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot remove ", path.string()));
  }
  return absl::OkStatus();
}

}  // namespace escan
