#include "server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

constexpr Duration kEndPatience = std::chrono::seconds(10);

// What follows `text` in its line, once that line is complete.
std::optional<std::string> RestOfLine(const std::string& output, const std::string& text) {
  const size_t found = output.find(text);
  if (found == std::string::npos) return std::nullopt;
  const size_t begin = found + text.size();
  const size_t end = output.find('\n', begin);
  if (end == std::string::npos) return std::nullopt;
  return output.substr(begin, end - begin);
}

absl::StatusOr<pid_t> Spawn(std::vector<std::string> command, int output) {
  std::vector<char*> argv;
  for (std::string& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return absl::ErrnoToStatus(error, absl::StrCat("cannot execute ", command[0]));
  return pid;
}

}  // namespace

std::filesystem::path SiblingProgram(const std::string& name) {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(
    const std::filesystem::path& program, const std::vector<std::string>& arguments) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "cannot make a pipe");
  UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  // setpriv executes the program in its own place, with the signal of its parent's death set.
  std::vector<std::string> command = {"setpriv", "--pdeathsig", "TERM", "--", program.string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const absl::StatusOr<pid_t> pid = Spawn(std::move(command), write_end.get());
  if (!pid.ok()) return pid.status();
  return std::unique_ptr<ServerProcess>(new ServerProcess(*pid, std::move(read_end)));
}

ServerProcess::ServerProcess(pid_t pid, UniqueFd output)
    : pid_(pid), output_fd_(std::move(output)), reader_([this] { ReadOutput(); }) {}

ServerProcess::~ServerProcess() {
  kill(pid_, SIGTERM);
  if (!WaitForEnd(kEndPatience)) kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  reader_.join();
}

void ServerProcess::ReadOutput() {
  std::array<char, 4096> buffer{};
  while (true) {
    const ssize_t count = read(output_fd_.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    MutexLock lock(mutex_);
    if (count > 0) output_.append(buffer.data(), static_cast<size_t>(count));
    ended_ = count <= 0;
    changed_.NotifyAll();
    if (ended_) return;
  }
}

absl::StatusOr<std::string> ServerProcess::WaitForOutput(const std::string& text,
                                                         Duration timeout) {
  const TimePoint deadline = Clock::now() + timeout;
  MutexLock lock(mutex_);
  while (true) {
    if (std::optional<std::string> rest = RestOfLine(output_, text)) return *std::move(rest);
    if (ended_ || !changed_.WaitUntil(mutex_, deadline)) {
      return absl::UnavailableError(
          absl::StrCat("the server did not say \"", text, "\"; it said:\n", output_));
    }
  }
}

bool ServerProcess::WaitForEnd(Duration timeout) {
  const TimePoint deadline = Clock::now() + timeout;
  MutexLock lock(mutex_);
  while (!ended_) {
    if (!changed_.WaitUntil(mutex_, deadline)) return ended_;
  }
  return true;
}

}  // namespace escan
