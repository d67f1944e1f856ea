#include "supervision/oom_kill_counter.h"

#include <charconv>
#include <csignal>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

namespace escan {

OomKillCounter::OomKillCounter(std::filesystem::path vmstat)
    : vmstat_(std::move(vmstat)), at_start_(Read()) {}

bool OomKillCounter::KilledFromOutside(const ProcessExit& exit) const {
  const bool sent = exit.by_signal && (exit.value == SIGKILL || exit.value == SIGTERM);
  return sent && Read() == at_start_;
}

uint64_t OomKillCounter::Read() const {
  std::ifstream file(vmstat_);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return Parse(text).value_or(0);
}

std::optional<uint64_t> OomKillCounter::Parse(std::string_view vmstat) {
  constexpr std::string_view kKey = "oom_kill ";
  while (!vmstat.empty()) {
    const std::string_view line = vmstat.substr(0, vmstat.find('\n'));
    vmstat.remove_prefix(std::min(line.size() + 1, vmstat.size()));
    if (!line.starts_with(kKey)) continue;
    uint64_t count = 0;
    const auto [end, error] =
        std::from_chars(line.data() + kKey.size(), line.data() + line.size(), count);
    if (error == std::errc() && end == line.data() + line.size()) return count;
  }
  return std::nullopt;
}

}  // namespace escan
