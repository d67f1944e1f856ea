#include "server/daemon/library_check.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "ipc/unique_fd.h"
#include "supervision/child_process.h"

namespace escan {
namespace {

std::string ReadAll(int fd) {
  std::string text;
  std::array<char, 4096> part;
  for (;;) {
    const ssize_t size = ::read(fd, part.data(), part.size());
    if (size > 0) text.append(part.data(), size);
    if (size == 0 || (size < 0 && errno != EINTR)) return text;
  }
}

// What the loader prints about the libraries of `program`.
absl::StatusOr<std::string> LoaderReport(const std::filesystem::path& program,
                                         const std::string& library_path) {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a pipe to the dynamic loader");
  }
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  absl::StatusOr<ChildProcess> loader = ChildProcess::Spawn(
      {.path = program,
       .arguments = {},
       .environment = {"LD_TRACE_LOADED_OBJECTS=1", absl::StrCat("LD_LIBRARY_PATH=", library_path)},
       .descriptors = {std::nullopt, writing.get(), STDERR_FILENO}});
  if (!loader.ok()) return loader.status();
  writing.reset();
  return ReadAll(reading.get());
}

}  // namespace

absl::StatusOr<std::vector<std::string>> MissingLibraries(const std::filesystem::path& program,
                                                          const std::string& library_path) {
  absl::StatusOr<std::string> report = LoaderReport(program, library_path);
  if (!report.ok()) return report.status();
  std::vector<std::string> missing;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(*report, '\n'))) {
    const std::pair<std::string, std::string> found = absl::StrSplit(line, " => ");
    if (found.second == "not found") {
      missing.emplace_back(absl::StripLeadingAsciiWhitespace(found.first));
    }
  }
  return missing;
}

}  // namespace escan
