#include "worker/loop/worker_log.h"

#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace escan {

void LogLine(absl::string_view fields) {
  const std::string line = absl::StrCat("escan-worker[", ::getpid(), "]: ", fields, "\n");
  // A line that nobody can take is lost; there is no better place to say so.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace escan
