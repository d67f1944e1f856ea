#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "ipc/unique_fd.h"

namespace escan {

// The bytes of an input as a file in memory, for readers that take a path.
class InputFile {
 public:
  explicit InputFile(std::string_view content) : fd_(::memfd_create("input", MFD_CLOEXEC)) {
    const ssize_t written = ::write(fd_.get(), content.data(), content.size());
    if (written != static_cast<ssize_t>(content.size())) std::abort();
  }
  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }

 private:
  const UniqueFd fd_;
};

}  // namespace escan
