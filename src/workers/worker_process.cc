#include "workers/worker_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

constexpr int kFirstUninheritedFd = 6;
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

  // The descriptors a worker has, and no others. Sources lie above all targets, so that no target
  // overwrites a source; a duplicate does not close on exec.
  int SetDescriptors(int socket, int slab, int spec) {
    const std::array<int, 6> errors = {
        ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0),
        ::posix_spawn_file_actions_adddup2(&actions_, STDERR_FILENO, STDOUT_FILENO),
        ::posix_spawn_file_actions_adddup2(&actions_, socket, kWorkerSocketFd),
        ::posix_spawn_file_actions_adddup2(&actions_, slab, kWorkerSlabFd),
        ::posix_spawn_file_actions_adddup2(&actions_, spec, kWorkerSpecFd),
        ::posix_spawn_file_actions_addclosefrom_np(&actions_, kFirstUninheritedFd),
    };
    for (const int error : errors) {
      if (error != 0) return error;
    }
    return 0;
  }

  // Default signal handling, whatever the daemon blocks or ignores, and a process group of its own,
  // which a terminal's signals do not reach.
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

// System calls by number: in glibc 2.36 the header that declares them has no C linkage.
UniqueFd OpenPidfd(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

void SendSignal(int pidfd, int signal) {
  ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0);
}

UniqueFd AboveWorkerFds(int fd) {
  return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, kFirstUninheritedFd));
}

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

absl::StatusOr<pid_t> SpawnWith(const WorkerCommand& command, const SpawnSettings& settings) {
  std::string program = command.program.string();
  std::vector<std::string> arguments = command.arguments;
  std::vector<char*> argv = {program.data()};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::vector<std::string> environment = EnvironmentWith(command.environment);
  std::vector<char*> envp;
  for (std::string& variable : environment) envp.push_back(variable.data());
  envp.push_back(nullptr);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, program.c_str(), settings.actions(), settings.attributes(),
                                  argv.data(), envp.data());
  if (error != 0) return SpawnError(command.program, error);
  return pid;
}

WorkerExit ToWorkerExit(const siginfo_t& info) {
  return {.by_signal = info.si_code != CLD_EXITED, .value = info.si_status};
}

// Waits for the end of the child; nullopt while it runs and `options` has WNOHANG.
std::optional<WorkerExit> Wait(int pidfd, int options) {
  siginfo_t info{};
  int result;
  do {
    result = ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | options);
  } while (result != 0 && errno == EINTR);
  if (result != 0) return WorkerExit{.by_signal = false, .value = kUnknownExitStatus};
  if (info.si_pid == 0) return std::nullopt;
  return ToWorkerExit(info);
}

}  // namespace

std::string WorkerExit::ToString() const {
  if (by_signal) return absl::StrCat("signal ", value, " (", ::sigdescr_np(value), ")");
  if (value == kUnknownExitStatus) return "an exit status that somebody else took";
  return absl::StrCat("exit status ", value);
}

absl::StatusOr<WorkerProcess> WorkerProcess::Spawn(const WorkerCommand& command,
                                                   const WorkerSpec& spec, const Slab& slab) {
  absl::StatusOr<std::pair<FrameSocket, UniqueFd>> sockets = FrameSocket::Pair();
  if (!sockets.ok()) return sockets.status();
  const absl::StatusOr<UniqueFd> spec_fd = WriteWorkerSpec(spec);
  if (!spec_fd.ok()) return spec_fd.status();

  const UniqueFd worker_socket = AboveWorkerFds(sockets->second.get());
  const UniqueFd worker_slab = AboveWorkerFds(slab.fd());
  const UniqueFd worker_spec = AboveWorkerFds(spec_fd->get());
  if (!worker_socket || !worker_slab || !worker_spec) return SpawnError(command.program, errno);

  SpawnSettings settings;
  settings.SetSignals();
  const int error =
      settings.SetDescriptors(worker_socket.get(), worker_slab.get(), worker_spec.get());
  if (error != 0) return SpawnError(command.program, error);

  const absl::StatusOr<pid_t> pid = SpawnWith(command, settings);
  if (!pid.ok()) return pid.status();
  UniqueFd pidfd = OpenPidfd(*pid);
  if (!pidfd) {
    const int failure = errno;
    ::kill(*pid, SIGKILL);
    ::waitpid(*pid, nullptr, 0);
    return SpawnError(command.program, failure);
  }
  return WorkerProcess(*pid, std::move(pidfd), std::move(sockets->first));
}

WorkerProcess::WorkerProcess(pid_t pid, UniqueFd pidfd, FrameSocket socket)
    : pid_(pid), pidfd_(std::move(pidfd)), socket_(std::move(socket)) {}

WorkerProcess::WorkerProcess(WorkerProcess&&) noexcept = default;

WorkerProcess& WorkerProcess::operator=(WorkerProcess&& other) noexcept {
  if (this == &other) return *this;
  End();
  pid_ = other.pid_;
  pidfd_ = std::move(other.pidfd_);
  socket_ = std::move(other.socket_);
  exit_ = std::move(other.exit_);
  return *this;
}

WorkerProcess::~WorkerProcess() { End(); }

void WorkerProcess::End() {
  if (!pidfd_ || exit_) return;
  Kill();
  exit_ = Wait(pidfd_.get(), 0);
}

void WorkerProcess::Kill() const {
  if (!exit_) SendSignal(pidfd_.get(), SIGKILL);
}

std::optional<WorkerExit> WorkerProcess::Reap() {
  if (!exit_) exit_ = Wait(pidfd_.get(), WNOHANG);
  return exit_;
}

}  // namespace escan
