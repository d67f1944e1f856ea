#include "config/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace escan {

namespace {

absl::Status CannotBeRead(const std::filesystem::path& file, int error) {
  return absl::InvalidArgumentError(
      absl::StrCat(file.string(), " cannot be read: ", std::strerror(error)));
}

}  // namespace

absl::Status CheckReadable(const std::filesystem::path& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) return CannotBeRead(file, errno);
    return absl::NotFoundError(absl::StrCat("there is no file ", file.string()));
  }
  if (S_ISDIR(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(file.string(), " is a folder, expected a file"));
  }
  if (faccessat(AT_FDCWD, file.c_str(), R_OK, AT_EACCESS) != 0) return CannotBeRead(file, errno);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& file) {
  if (absl::Status status = CheckReadable(file); !status.ok()) return status;
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (!stream ||
      (stream.peek() != std::ifstream::traits_type::eof() && !(text << stream.rdbuf()))) {
    return absl::InvalidArgumentError(absl::StrCat(file.string(), " cannot be read"));
  }
  return text.str();
}

absl::Status ReplaceFile(const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path unfinished = absl::StrCat(file.string(), ".", getpid());
  std::ofstream stream(unfinished, std::ios::binary);
  stream << text;
  stream.close();
  if (!stream)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", unfinished.string()));
  std::error_code error;
  std::filesystem::rename(unfinished, file, error);
  if (!error) return absl::OkStatus();
  std::error_code ignored;
  std::filesystem::remove(unfinished, ignored);
  return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot write ", file.string()));
}

std::filesystem::path AbsolutePath(const std::filesystem::path& folder, const std::string& name) {
  std::error_code error;
  return std::filesystem::absolute(folder / name, error).lexically_normal();
}

}  // namespace escan
