#include "engine/model_files.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "contracts/content_hash.h"

namespace escan {
namespace {

bool SameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool Unchanged(const struct stat& a, const struct stat& b) {
  return SameFile(a, b) && a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

absl::Status FileError(const StageSpec& stage, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("stage '", stage.name, "' (",
                                                  stage.model.string(), "): ", status.message()));
}

}  // namespace

absl::StatusOr<ModelFiles> ModelFiles::Open(const CascadeSpec& cascade) {
  ModelFiles models;
  models.cascade_ = cascade.name;
  for (const StageSpec& stage : cascade.stages) {
    File& file = models.files_.emplace_back();
    if (stage.executor == ExecutorKind::kNull) continue;
    file.fd = UniqueFd(::open(stage.model.c_str(), O_RDONLY | O_CLOEXEC));
    // Before the content is read, so that what is written meanwhile is seen later.
    if (!file.fd || ::fstat(file.fd.get(), &file.opened) != 0) {
      return FileError(stage, absl::ErrnoToStatus(errno, "cannot open the model"));
    }
    file.seen = file.opened;
    const absl::StatusOr<uint64_t> hash = ContentHashOfFile(file.fd.get());
    if (!hash.ok()) return FileError(stage, hash.status());
    file.digest = HashName(*hash);
    spdlog::info("model opened model={} stage={} file={} bytes={} digest={}", cascade.name,
                 stage.name, stage.model.string(), file.opened.st_size, file.digest);
  }
  return models;
}

void ModelFiles::Complete(WorkerStage* stage) const {
  const File& file = files_[static_cast<size_t>(stage->index)];
  stage->model_fd = file.fd.get();
  stage->model_digest = file.digest;
}

void ModelFiles::WarnOfChange(const WorkerStage& stage) {
  File& file = files_[static_cast<size_t>(stage.index)];
  if (!file.fd) return;
  struct stat found {};
  if (::stat(stage.model.c_str(), &found) != 0) found = {};
  if (Unchanged(found, file.seen)) return;
  file.seen = found;
  if (Unchanged(found, file.opened)) return;
  const char* const what =
      SameFile(found, file.opened)
          ? "it was written to: workers that start from now on refuse it unless it holds the same"
          : "another file or none is there: the one from the start is served until a restart";
  spdlog::warn("model changed model={} stage={} file={} reason=\"{}\"", cascade_, stage.name,
               stage.model, what);
}

}  // namespace escan
