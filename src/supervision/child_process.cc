#include "supervision/child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "supervision/pidfd.h"

namespace escan {
namespace {

constexpr int kUnknownExitStatus = -1;

// posix_spawn's two option objects.
class SpawnSettings {
 public:
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  // Gives the child `sources`, /dev/null for an empty one, as its numbers 0, 1, ... and no others.
  // Sources lie above all numbers, so that none is overwritten; a duplicate does not close on exec.
  int SetDescriptors(const std::vector<UniqueFd>& sources) {
    int number = 0;
    for (const UniqueFd& source : sources) {
      const int error =
          source ? ::posix_spawn_file_actions_adddup2(&actions_, source.get(), number)
                 : ::posix_spawn_file_actions_addopen(&actions_, number, "/dev/null", O_RDONLY, 0);
      if (error != 0) return error;
      ++number;
    }
    return ::posix_spawn_file_actions_addclosefrom_np(&actions_, number);
  }

  // Default signal handling, whatever this process blocks or ignores, and a process group of its
  // own, which a terminal's signals do not reach.
  void SetSignals() {
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

absl::Status SpawnError(const std::filesystem::path& program, int error) {
  const std::string message =
      absl::StrCat("cannot execute ", program.string(), ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case EISDIR:
    case ELOOP:
    case ENOEXEC:
      return absl::NotFoundError(message);
    case EAGAIN:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::InternalError(message);
  }
}

std::string_view NameOf(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

// This process's environment with `changes` in place of the variables of the same names.
std::vector<std::string> EnvironmentWith(const std::vector<std::string>& changes) {
  std::vector<std::string> variables = changes;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const bool changed = std::any_of(changes.begin(), changes.end(), [&](const std::string& c) {
      return NameOf(c) == NameOf(*variable);
    });
    if (!changed) variables.emplace_back(*variable);
  }
  return variables;
}

// As execve(2) takes them.
std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

absl::StatusOr<pid_t> SpawnWith(const ChildProcess::Program& program,
                                const SpawnSettings& settings) {
  std::vector<std::string> arguments = {program.path.string()};
  arguments.insert(arguments.end(), program.arguments.begin(), program.arguments.end());
  std::vector<std::string> environment = EnvironmentWith(program.environment);
  pid_t pid = -1;
  const int error =
      ::posix_spawnp(&pid, program.path.c_str(), settings.actions(), settings.attributes(),
                     Pointers(arguments).data(), Pointers(environment).data());
  if (error != 0) return SpawnError(program.path, error);
  return pid;
}

// Waits for the end of the child; nullopt while it runs and `options` has WNOHANG.
std::optional<ProcessExit> Wait(int pidfd, int options) {
  siginfo_t info{};
  int result;
  do {
    result = ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | options);
  } while (result != 0 && errno == EINTR);
  if (result != 0) return ProcessExit{.by_signal = false, .value = kUnknownExitStatus};
  if (info.si_pid == 0) return std::nullopt;
  return ProcessExit{.by_signal = info.si_code != CLD_EXITED, .value = info.si_status};
}

}  // namespace

std::string ProcessExit::ToString() const {
  if (by_signal) return absl::StrCat("signal ", value, " (", ::sigdescr_np(value), ")");
  if (value == kUnknownExitStatus) return "an exit status that somebody else took";
  return absl::StrCat("exit status ", value);
}

absl::StatusOr<ChildProcess> ChildProcess::Spawn(const Program& program) {
  std::vector<UniqueFd> sources;
  for (const std::optional<int> descriptor : program.descriptors) {
    const int above = static_cast<int>(program.descriptors.size());
    UniqueFd& source = sources.emplace_back();
    if (!descriptor) continue;
    source = UniqueFd(::fcntl(*descriptor, F_DUPFD_CLOEXEC, above));
    if (!source) return SpawnError(program.path, errno);
  }
  SpawnSettings settings;
  settings.SetSignals();
  const int error = settings.SetDescriptors(sources);
  if (error != 0) return SpawnError(program.path, error);

  const absl::StatusOr<pid_t> pid = SpawnWith(program, settings);
  if (!pid.ok()) return pid.status();
  UniqueFd pidfd = OpenPidfd(*pid);
  if (!pidfd) {
    const int failure = errno;
    ::kill(*pid, SIGKILL);
    ::waitpid(*pid, nullptr, 0);  // it has only begun
    return SpawnError(program.path, failure);
  }
  return ChildProcess(*pid, std::move(pidfd));
}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this == &other) return *this;
  End();
  pid_ = other.pid_;
  pidfd_ = std::move(other.pidfd_);
  exit_ = std::move(other.exit_);
  return *this;
}

void ChildProcess::End() {
  if (!pidfd_ || exit_) return;
  Signal(SIGKILL);
  AwaitEnd(Clock::now() + kLongestEnd);
}

void ChildProcess::Signal(int number) const {
  if (!exit_) SendSignal(pidfd_.get(), number);
}

std::optional<ProcessExit> ChildProcess::Reap() {
  if (!exit_) exit_ = Wait(pidfd_.get(), WNOHANG);
  return exit_;
}

std::optional<ProcessExit> ChildProcess::AwaitEnd(TimePoint deadline) {
  if (!exit_ && escan::AwaitEnd(pidfd_.get(), deadline)) exit_ = Wait(pidfd_.get(), 0);
  return exit_;
}

}  // namespace escan
