#include "supervision/worker_process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>

#include "supervision/pidfd.h"
#include "supervision/worker_process_fixture.h"

namespace escan {
namespace {

using ::testing::ElementsAre;
using ::testing::Key;
using ::testing::StartsWith;

// --- what the child inherits

std::map<int, std::string> OpenFiles(pid_t pid) {
  std::map<int, std::string> files;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    files[std::stoi(entry.path().filename())] = std::filesystem::read_symlink(entry.path());
  }
  return files;
}

uint64_t SignalSet(pid_t pid, const std::string& key) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return std::stoull(line.substr(key.size() + 1), nullptr, 16);
  }
  ADD_FAILURE() << "no " << key;
  return 0;
}

TEST_F(WorkerProcessTest, GivesTheChildItsDescriptorsAndNoOther) {
  const UniqueFd inheritable(::open("/dev/null", O_RDONLY));  // does not close on exec
  const WorkerProcess process = SpawnReady("good");
  const std::map<int, std::string> files = OpenFiles(process.pid());
  ASSERT_THAT(files, ElementsAre(Key(0), Key(1), Key(2), Key(3), Key(4), Key(5)));
  EXPECT_EQ(files.at(0), "/dev/null");
  EXPECT_EQ(files.at(1), OpenFiles(::getpid()).at(2));
  EXPECT_EQ(files.at(2), OpenFiles(::getpid()).at(2));
  EXPECT_THAT(files.at(kWorkerSocketFd), StartsWith("socket:"));
  EXPECT_THAT(files.at(kWorkerSlabFd), StartsWith("/memfd:escan-slab"));
  EXPECT_THAT(files.at(kWorkerSpecFd), StartsWith("/memfd:escan-worker-spec"));
}

TEST_F(WorkerProcessTest, GivesTheChildItsProbes) {
  SlabLayout layout = layout_;
  layout.slots = 2;
  const Slab probes = *Slab::Create(layout);
  spec_.probes = layout.slots;
  const auto process = WorkerProcess::Spawn(MisbehavingWorker("good"), spec_, slab_, &probes);
  ASSERT_TRUE(process.ok()) << process.status();
  AwaitState(*process, WorkerState::kReady);
  EXPECT_THAT(OpenFiles(process->pid()).at(kWorkerProbesFd), StartsWith("/memfd:escan-slab"));
}

TEST_F(WorkerProcessTest, GivesTheChildTheModelsOfItsStages) {
  const UniqueFd first(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  const UniqueFd second(::open("/dev/full", O_RDONLY | O_CLOEXEC));
  for (const int model_fd : {first.get(), -1, second.get()}) {
    spec_.stages.push_back(spec_.stages[0]);
    spec_.stages.back().model_fd = model_fd;
  }
  const WorkerProcess process = SpawnReady("good");
  const std::map<int, std::string> files = OpenFiles(process.pid());
  EXPECT_EQ(files.size(), 9u);
  EXPECT_EQ(files.at(kWorkerFirstModelFd), "/dev/zero");
  EXPECT_EQ(files.at(kWorkerFirstModelFd + 1), "/dev/full");
  const UniqueFd spec_fd(::open(
      ("/proc/" + std::to_string(process.pid()) + "/fd/" + std::to_string(kWorkerSpecFd)).c_str(),
      O_RDONLY | O_CLOEXEC));
  const absl::StatusOr<WorkerSpec> spec = ReadWorkerSpec(spec_fd.get());
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->stages[0].model_fd, -1);
  EXPECT_EQ(spec->stages[1].model_fd, kWorkerFirstModelFd);
  EXPECT_EQ(spec->stages[2].model_fd, -1);
  EXPECT_EQ(spec->stages[3].model_fd, kWorkerFirstModelFd + 1);
}

// The slab's descriptor stands where the child's socket, slab or spec must come to lie.
TEST_F(WorkerProcessTest, TakesSourcesThatLieOnTheChildsNumbers) {
  for (const int number : {kWorkerSocketFd, kWorkerSlabFd, kWorkerSpecFd}) {
    const UniqueFd source(::fcntl(slab_.fd(), F_DUPFD_CLOEXEC, 10));
    const UniqueFd kept(::fcntl(number, F_DUPFD_CLOEXEC, 10));  // what stands there now, if any
    ASSERT_EQ(::dup3(source.get(), number, O_CLOEXEC), number);
    auto slab = Slab::Map(UniqueFd(number), layout_.slots, layout_.stride);
    ASSERT_TRUE(slab.ok()) << slab.status();
    auto process = WorkerProcess::Spawn(MisbehavingWorker("good"), spec_, *slab);
    ASSERT_TRUE(process.ok()) << process.status();
    AwaitState(*process, WorkerState::kReady);
    EXPECT_THAT(OpenFiles(process->pid()).at(kWorkerSlabFd), StartsWith("/memfd:escan-slab"));
    *slab = *Slab::Create(layout_);
    if (kept) ::dup3(kept.get(), number, O_CLOEXEC);
  }
}

TEST_F(WorkerProcessTest, GivesTheChildDefaultSignalsAndAProcessGroup) {
  sigset_t blocked;
  sigset_t before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::sigaddset(&blocked, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto handler = ::signal(SIGPIPE, SIG_IGN);
  const WorkerProcess process = SpawnReady("good");
  ::signal(SIGPIPE, handler);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(SignalSet(process.pid(), "SigBlk"), 0u);
  constexpr uint64_t kStandardSignals = 0x7fffffff;  // glibc has its way with the next two
  EXPECT_EQ(SignalSet(process.pid(), "SigIgn") & kStandardSignals, 0u);
  EXPECT_EQ(::getpgid(process.pid()), process.pid());
}

TEST_F(WorkerProcessTest, KeepsItsOwnDescriptorsFromOtherPrograms) {
  const WorkerProcess process = Spawn("good");
  EXPECT_EQ(::fcntl(process.pidfd(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(process.socket().fd(), F_GETFD), FD_CLOEXEC);
}

// --- starting and ending

TEST_F(WorkerProcessTest, NamesAProgramThatCannotBeExecuted) {
  for (const char* path : {"/nonexistent/escan-worker", "/", "/dev/null", "/proc/version"}) {
    const auto process = WorkerProcess::Spawn({.program = path, .arguments = {}}, spec_, slab_);
    EXPECT_EQ(process.status().code(), absl::StatusCode::kNotFound) << process.status();
    EXPECT_THAT(std::string(process.status().message()),
                StartsWith(std::string("cannot execute ") + path + ": "));
  }
}

TEST_F(WorkerProcessTest, ReportsAnExitStatusAgainAndAgain) {
  WorkerProcess process = Spawn("die-at-start");
  const ProcessExit exit = AwaitExit(process);
  EXPECT_EQ(exit.ToString(), "exit status 7");
  EXPECT_FALSE(exit.by_signal);
  EXPECT_EQ(process.Reap()->ToString(), "exit status 7");
  process.Kill();
  EXPECT_EQ(process.Reap()->ToString(), "exit status 7");
}

TEST_F(WorkerProcessTest, ReportsNoEndWhileTheProcessRuns) {
  WorkerProcess process = SpawnReady("good");
  EXPECT_EQ(process.Reap(), std::nullopt);
  process.Kill();
  EXPECT_EQ(AwaitExit(process).ToString(), "signal 9 (Killed)");
}

TEST_F(WorkerProcessTest, ReportsASignal) {
  WorkerProcess process = SpawnReady("poison");
  SendBatch(process, {1, kDeadlyByte});
  const ProcessExit exit = AwaitExit(process);
  EXPECT_TRUE(exit.by_signal);
  EXPECT_EQ(exit.value, SIGABRT);
  EXPECT_EQ(exit.ToString(), "signal 6 (Aborted)");
}

TEST_F(WorkerProcessTest, SaysWhenSomebodyElseTookTheExitStatus) {
  WorkerProcess process = Spawn("die-at-start");
  ASSERT_EQ(::waitpid(process.pid(), nullptr, 0), process.pid());
  EXPECT_EQ(process.Reap()->ToString(), "an exit status that somebody else took");
}

TEST_F(WorkerProcessTest, LeavesNoProcessBehind) {
  pid_t pid;
  {
    const WorkerProcess process = SpawnReady("ignores-stop");
    pid = process.pid();
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST_F(WorkerProcessTest, MovesWithoutEndingTheProcess) {
  WorkerProcess first = SpawnReady("good");
  const pid_t moved_pid = first.pid();
  WorkerProcess second = SpawnReady("good");
  const pid_t replaced_pid = second.pid();
  second = std::move(first);
  EXPECT_EQ(second.pid(), moved_pid);
  EXPECT_EQ(second.Reap(), std::nullopt);
  EXPECT_EQ(::kill(replaced_pid, 0), -1);
}

// The daemon is a child of the test here, which spawns a worker, says its number, and is killed.
TEST_F(WorkerProcessTest, ChildEndsWhenTheDaemonIsKilled) {
  std::array<int, 2> pipe_fds;
  ASSERT_EQ(::pipe2(pipe_fds.data(), O_CLOEXEC), 0);
  const UniqueFd read_end(pipe_fds[0]);
  UniqueFd write_end(pipe_fds[1]);
  const pid_t daemon = ::fork();
  if (daemon == 0) {
    const auto process = WorkerProcess::Spawn(MisbehavingWorker("hang"), spec_, slab_);
    if (!process.ok()) ::_exit(1);
    AwaitState(*process, WorkerState::kReady);
    const pid_t pid = process->pid();
    if (::write(write_end.get(), &pid, sizeof(pid)) != sizeof(pid)) ::_exit(2);
    while (true) ::pause();
  }
  ASSERT_GT(daemon, 0);
  write_end.reset();
  pid_t worker = -1;
  ASSERT_EQ(::read(read_end.get(), &worker, sizeof(worker)), static_cast<ssize_t>(sizeof(worker)));
  const UniqueFd worker_pidfd = OpenPidfd(worker);
  ASSERT_TRUE(worker_pidfd);
  ASSERT_EQ(::kill(daemon, SIGKILL), 0);
  ASSERT_EQ(::waitpid(daemon, nullptr, 0), daemon);
  WaitReadable(worker_pidfd.get());
}

}  // namespace
}  // namespace escan
