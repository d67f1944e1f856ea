#include "mps/mps_control.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "ipc/unique_fd.h"
#include "supervision/child_process.h"

namespace escan {
namespace {

constexpr off_t kOutputBytes = 64 << 10;
constexpr size_t kQuotedBytes = 500;

// The command as a file, positioned at its start: nothing that is written can block.
absl::StatusOr<UniqueFd> InputOf(const std::string& command) {
  UniqueFd file(::memfd_create("escan-mps-command", MFD_CLOEXEC));
  const std::string line = command + "\n";
  const auto size = static_cast<ssize_t>(line.size());
  if (!file || ::write(file.get(), line.data(), line.size()) != size ||
      ::lseek(file.get(), 0, SEEK_SET) != 0) {
    return absl::ErrnoToStatus(errno, "memfd");
  }
  return file;
}

// A file of a fixed size for both outputs of the program; writing more fails.
absl::StatusOr<UniqueFd> MakeOutput() {
  UniqueFd file(::memfd_create("escan-mps-output", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file || ::ftruncate(file.get(), kOutputBytes) != 0 ||
      ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) != 0) {
    return absl::ErrnoToStatus(errno, "memfd");
  }
  return file;
}

// For an error.
std::string Quoted(std::string_view text) {
  return absl::StrCat("\"", std::string(text.substr(0, kQuotedBytes)),
                      text.size() > kQuotedBytes ? "...\"" : "\"");
}

// What was written: the program shares the file's position.
std::string ReadOutput(int file) {
  std::string text(static_cast<size_t>(::lseek(file, 0, SEEK_CUR)), '\0');
  const ssize_t size = ::pread(file, text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return std::string(absl::StripTrailingAsciiWhitespace(text));
}

}  // namespace

std::vector<std::string> MpsControl::Directories::Environment() const {
  std::vector<std::string> variables = {absl::StrCat("CUDA_MPS_PIPE_DIRECTORY=", pipe.string())};
  if (!log.empty()) variables.push_back(absl::StrCat("CUDA_MPS_LOG_DIRECTORY=", log.string()));
  return variables;
}

absl::StatusOr<std::string> MpsControl::Run(const std::string& command, Duration timeout) const {
  const absl::StatusOr<UniqueFd> input = InputOf(command);
  if (!input.ok()) return input.status();
  const absl::StatusOr<UniqueFd> output = MakeOutput();
  if (!output.ok()) return output.status();
  absl::StatusOr<ChildProcess> process =
      ChildProcess::Spawn({.path = program_,
                           .arguments = {},
                           .environment = directories_.Environment(),
                           .descriptors = {input->get(), output->get(), output->get()}});
  if (!process.ok()) return process.status();
  const std::optional<ProcessExit> exit = process->AwaitEnd(Clock::now() + timeout);
  const std::string said = ReadOutput(output->get());
  const std::string what = absl::StrCat(program_.string(), ": ", command);
  if (!exit) {
    return absl::DeadlineExceededError(absl::StrCat(what, ": no answer within ",
                                                    absl::FormatDuration(absl::FromChrono(timeout)),
                                                    ", it said ", Quoted(said)));
  }
  if (exit->by_signal || exit->value != 0) {
    return absl::UnavailableError(
        absl::StrCat(what, ": ", exit->ToString(), ", it said ", Quoted(said)));
  }
  return said;
}

absl::StatusOr<std::vector<pid_t>> ParsePids(std::string_view text) {
  std::vector<pid_t> pids;
  bool strange = false;
  const std::vector<std::string> lines = absl::StrSplit(std::string(text), '\n');
  for (const std::string& line : lines) {
    std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t\r:"), absl::SkipEmpty());
    if (!words.empty() && absl::EqualsIgnoreCase(words.front(), "pid")) words.erase(words.begin());
    pid_t pid = 0;
    if (words.empty() || words.front() == "0" || absl::EqualsIgnoreCase(words.front(), "no")) {
      continue;
    }
    if (absl::SimpleAtoi(words.front(), &pid) && pid > 0) {
      pids.push_back(pid);
    } else {
      strange = true;
    }
  }
  if (pids.empty() && strange) {
    return absl::InternalError(absl::StrCat("expected process ids, found ", Quoted(text)));
  }
  return pids;
}

absl::StatusOr<std::vector<pid_t>> MpsControl::Pids(const std::string& command) const {
  const absl::StatusOr<std::string> said = Run(command);
  if (!said.ok()) return said.status();
  absl::StatusOr<std::vector<pid_t>> pids = ParsePids(*said);
  if (pids.ok()) return pids;
  return absl::InternalError(
      absl::StrCat(program_.string(), ": ", command, ": ", std::string(pids.status().message())));
}

absl::StatusOr<std::vector<pid_t>> MpsControl::Servers() const { return Pids("get_server_list"); }

absl::StatusOr<std::vector<pid_t>> MpsControl::Clients(pid_t server) const {
  return Pids(absl::StrCat("get_client_list ", server));
}

absl::Status MpsControl::TerminateClient(pid_t server, pid_t client, Duration timeout) const {
  const std::string command = absl::StrCat("terminate_client ", server, " ", client);
  const absl::StatusOr<std::string> said = Run(command, timeout);
  if (!said.ok()) return said.status();
  // A refusal has a text, but the program ends with status 0.
  if (said->empty() || *said == "0" || absl::StrContains(absl::AsciiStrToLower(*said), "success")) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat(program_.string(), ": ", command, ": it said ", Quoted(*said)));
}

absl::Status MpsControl::Quit() const { return Run("quit").status(); }

}  // namespace escan
