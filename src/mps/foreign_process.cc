#include "mps/foreign_process.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "supervision/pidfd.h"

namespace escan {
namespace {

// A file of /proc/PID whose strings end in NUL; nullopt when it may not be read, or the process
// ends before it is: then reading an open file fails, which a stream's iterators would throw.
std::optional<std::vector<std::string>> ReadStrings(pid_t pid, const char* name) {
  std::ifstream file(std::filesystem::path("/proc") / std::to_string(pid) / name);
  if (!file) return std::nullopt;
  std::vector<std::string> strings;
  for (std::string text; std::getline(file, text, '\0');) strings.push_back(std::move(text));
  if (file.bad()) return std::nullopt;
  return strings;
}

}  // namespace

std::optional<ForeignProcess> ForeignProcess::Find(pid_t pid, std::string_view program) {
  ForeignProcess process(pid, OpenPidfd(pid));
  if (!process.pidfd_) return std::nullopt;
  const auto arguments = ReadStrings(pid, "cmdline");
  if (!arguments || arguments->empty()) return std::nullopt;
  if (std::filesystem::path(arguments->front()).filename() != program) return std::nullopt;
  if (process.ended()) return std::nullopt;  // what was read may be another's
  return process;
}

std::vector<ForeignProcess> ForeignProcess::FindAll(std::string_view program,
                                                    std::string_view variable) {
  std::vector<ForeignProcess> found;
  std::error_code error;
  std::filesystem::directory_iterator entry("/proc", error);
  for (; !error && entry != end(entry); entry.increment(error)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry->path().filename().string(), &pid)) continue;
    std::optional<ForeignProcess> process = Find(pid, program);
    if (!process) continue;
    const auto environment = process->Environment();
    if (!environment) continue;
    if (std::find(environment->begin(), environment->end(), variable) != environment->end()) {
      found.push_back(*std::move(process));
    }
  }
  return found;
}

bool ForeignProcess::ended() const { return AwaitEnd(TimePoint::min()); }

std::optional<std::vector<std::string>> ForeignProcess::Environment() const {
  auto environment = ReadStrings(pid_, "environ");
  if (ended()) return std::nullopt;
  return environment;
}

bool ForeignProcess::AwaitEnd(TimePoint deadline) const {
  return escan::AwaitEnd(pidfd_.get(), deadline);
}

void ForeignProcess::End(Duration patience) const {
  SendSignal(pidfd_.get(), SIGTERM);
  if (AwaitEnd(Clock::now() + patience)) return;
  SendSignal(pidfd_.get(), SIGKILL);
  AwaitEnd(Clock::now() + patience);
}

}  // namespace escan
