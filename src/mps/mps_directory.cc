#include "mps/mps_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace escan {
namespace {

constexpr mode_t kPrivateFolder = 0700;
constexpr mode_t kPrivateFile = 0600;

absl::Status Failure(int error, const char* what, const std::filesystem::path& path) {
  return absl::ErrnoToStatus(error, absl::StrCat("mps: cannot ", what, " ", path.string()));
}

// Makes the folder or takes one that is there, which must be this user's. True when it was made.
absl::StatusOr<bool> MakeFolder(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), kPrivateFolder) == 0) return true;
  if (errno != EEXIST) return Failure(errno, "make", path);
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return Failure(errno, "read", path);
  if (!S_ISDIR(found.st_mode)) return Failure(ENOTDIR, "use", path);
  if (found.st_uid != ::geteuid()) {
    return absl::PermissionDeniedError(absl::StrCat("mps: ", path.string(), " belongs to user ",
                                                    found.st_uid, ", not to ", ::geteuid()));
  }
  return false;
}

std::string ReadHolder(int file) {
  std::array<char, 32> text{};
  const ssize_t size = ::pread(file, text.data(), text.size(), 0);
  return std::string(
      absl::StripAsciiWhitespace({text.data(), size > 0 ? static_cast<size_t>(size) : 0}));
}

// Whether `file` is still what stands at `path`: its last holder removes it.
bool StandsAt(int file, const std::filesystem::path& path) {
  struct stat opened {};
  struct stat found {};
  return ::fstat(file, &opened) == 0 && ::stat(path.c_str(), &found) == 0 &&
         opened.st_dev == found.st_dev && opened.st_ino == found.st_ino;
}

absl::StatusOr<UniqueFd> Lock(const std::filesystem::path& root) {
  const std::filesystem::path path = root / "lock";
  while (true) {
    UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kPrivateFile));
    if (!file) return Failure(errno, "make", path);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return Failure(errno, "lock", path);
      return absl::AlreadyExistsError(absl::StrCat("mps: ", root.string(),
                                                   " is in use by another server, process ",
                                                   ReadHolder(file.get())));
    }
    if (!StandsAt(file.get(), path)) continue;
    const std::string holder = absl::StrCat(::getpid(), "\n");
    if (::ftruncate(file.get(), 0) != 0 ||
        ::pwrite(file.get(), holder.data(), holder.size(), 0) < 0) {
      return Failure(errno, "write", path);
    }
    return file;
  }
}

}  // namespace

absl::StatusOr<MpsDirectory> MpsDirectory::Acquire(const std::filesystem::path& root) {
  const absl::StatusOr<bool> made_root = MakeFolder(root);
  if (!made_root.ok()) return made_root.status();
  absl::StatusOr<UniqueFd> lock = Lock(root);
  if (!lock.ok()) return lock.status();
  MpsDirectory directory(root, *made_root, *std::move(lock));
  for (const std::filesystem::path& path : {directory.paths().pipe, directory.paths().log}) {
    const absl::StatusOr<bool> made = MakeFolder(path);
    if (!made.ok()) return made.status();
    if (::chmod(path.c_str(), kPrivateFolder) != 0) return Failure(errno, "protect", path);
  }
  return directory;
}

MpsDirectory::~MpsDirectory() {
  if (!lock_) return;
  std::error_code ignored;
  std::filesystem::remove_all(paths().pipe, ignored);
  std::filesystem::remove_all(paths().log, ignored);
  std::filesystem::remove(root_ / "lock", ignored);
  if (made_root_) std::filesystem::remove(root_, ignored);
}

absl::Status MpsDirectory::ClearPipes() const {
  std::error_code error;
  std::filesystem::remove_all(paths().pipe, error);
  if (error) return Failure(error.value(), "remove", paths().pipe);
  return MakeFolder(paths().pipe).status();
}

}  // namespace escan
