#include "worker/files/cache_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

absl::Status FileError(const char* what, const std::filesystem::path& file, int error) {
  return absl::InternalError(
      absl::StrCat("cannot ", what, " ", file.string(), ": ", std::strerror(error)));
}

}  // namespace

absl::StatusOr<std::string> CacheFolder::Read(std::string_view name) const {
  if (folder_.empty()) return absl::NotFoundError("nothing was kept");
  const std::ifstream stream(FileOf(name), std::ios::binary);
  if (!stream) return absl::NotFoundError("nothing was kept");
  std::ostringstream content;
  content << stream.rdbuf();
  return std::move(content).str();
}

absl::Status CacheFolder::Write(std::string_view name, std::string_view content) const {
  if (folder_.empty()) return absl::OkStatus();
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) return FileError("make", folder_, error.value());
  const std::filesystem::path file = FileOf(name);
  const std::filesystem::path unfinished = absl::StrCat(file.string(), ".", ::getpid());
  std::ofstream stream(unfinished, std::ios::binary);
  stream.write(content.data(), static_cast<std::streamsize>(content.size()));
  stream.close();
  absl::Status status = stream ? absl::OkStatus() : FileError("write", unfinished, errno);
  if (status.ok()) std::filesystem::rename(unfinished, file, error);
  if (error) status = FileError("rename to", file, error.value());
  if (!status.ok()) ::unlink(unfinished.c_str());
  return status;
}

UniqueFd CacheFolder::Reserve(std::string_view name) const {
  if (folder_.empty()) return UniqueFd();
  std::error_code ignored;  // the lock then cannot be had
  std::filesystem::create_directories(folder_, ignored);
  const std::string file = absl::StrCat(FileOf(name).string(), ".lock");
  UniqueFd lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock || ::flock(lock.get(), LOCK_EX) != 0) return UniqueFd();
  return lock;
}

}  // namespace escan
