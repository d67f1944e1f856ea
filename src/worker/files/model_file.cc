#include "worker/files/model_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <string>

#include "absl/strings/str_cat.h"
#include "contracts/content_hash.h"
#include "ipc/unique_fd.h"

namespace escan {
namespace {

struct Bytes {
  std::unique_ptr<char[]> data;
  size_t size = 0;
};

// Up to the end of the file, which may come sooner than its size says when someone writes to it.
absl::StatusOr<Bytes> ReadAll(int fd) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return absl::ErrnoToStatus(errno, "cannot read the model");
  const auto size = static_cast<size_t>(facts.st_size);
  Bytes bytes{std::unique_ptr<char[]>(new (std::nothrow) char[size])};
  if (bytes.data == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot read the model: there is no memory for its ", size, " bytes"));
  }
  while (bytes.size < size) {
    const ssize_t part = ::pread(fd, bytes.data.get() + bytes.size, size - bytes.size,
                                 static_cast<off_t>(bytes.size));
    if (part < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "cannot read the model");
    if (part == 0) break;
    if (part > 0) bytes.size += static_cast<size_t>(part);
  }
  return bytes;
}

absl::StatusOr<Bytes> ReadAll(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return absl::ErrnoToStatus(errno, "cannot open the model");
  return ReadAll(fd.get());
}

}  // namespace

ModelFile::ModelFile(std::unique_ptr<char[]> bytes, size_t size)
    : bytes_(std::move(bytes)), size_(size), hash_(ContentHash(content())) {}

absl::StatusOr<ModelFile> ModelFile::Read(const WorkerStage& stage) {
  absl::StatusOr<Bytes> bytes = stage.model_fd < 0 ? ReadAll(stage.model) : ReadAll(stage.model_fd);
  if (!bytes.ok()) return bytes.status();
  ModelFile file(std::move(bytes->data), bytes->size);
  const std::string digest = HashName(file.hash());
  if (!stage.model_digest.empty() && stage.model_digest != digest) {
    return absl::FailedPreconditionError(
        absl::StrCat("the file has changed since the daemon began to serve it (digest ", digest,
                     ", expected ", stage.model_digest, "): restart escand to serve the new one"));
  }
  const absl::StatusOr<ModelFormat> format = FindModelFormat(file.content());
  if (!format.ok()) return format.status();
  file.format_ = *format;
  return file;
}

}  // namespace escan
