#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

#include "supervision/child_process.h"

namespace escan {

// Tells a worker that somebody killed from one that ended by its own doing. A worker that used up
// the memory and was ended by the kernel's OOM killer counts as the latter. Make one when the
// worker starts; any thread may use it, and reading the kernel's file takes microseconds.
class OomKillCounter {
 public:
  // Remembers how many processes the kernel's OOM killer has ended since boot. A file that cannot
  // be read counts as none.
  explicit OomKillCounter(std::filesystem::path vmstat = "/proc/vmstat");

  // SIGKILL or SIGTERM, and no OOM kill anywhere on the machine since construction (the kernel
  // counts one before it sends the signal). Whether the daemon sent the signal is for the caller to
  // know.
  bool KilledFromOutside(const ProcessExit& exit) const;

  // `oom_kill` of /proc/vmstat (proc(5)); nullopt when it is not there or no number.
  static std::optional<uint64_t> Parse(std::string_view vmstat);

 private:
  uint64_t Read() const;

  std::filesystem::path vmstat_;
  uint64_t at_start_;
};

}  // namespace escan
