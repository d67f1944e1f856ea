#include "mps/mps_daemon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <utility>

#include "mps/mps_fixture.h"

namespace escan {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
namespace fs = std::filesystem;

constexpr char kServerName[] = "nvidia-cuda-mps-server";

class MpsDaemonTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<MpsDaemon>> Prepare(const MpsTimes& times = TestTimes()) const {
    return MpsDaemon::Prepare({.program = FAKE_MPS_CONTROL,
                               .directory = folder_.path(),
                               .gpus = {"GPU-a", "GPU-b"},
                               .times = times});
  }

  // One that answers.
  std::unique_ptr<MpsDaemon> Run() const {
    auto daemon = Prepare();
    EXPECT_TRUE(daemon.ok()) << daemon.status();
    EXPECT_TRUE((*daemon)->Spawn().ok());
    Await([&] { return (*daemon)->control().Servers().ok(); });
    return *std::move(daemon);
  }

  // The server of the daemon that answers in the folder.
  ForeignProcess MakeServer() const {
    folder_.SetClients({1});
    const auto servers = folder_.Control().Servers();
    EXPECT_TRUE(servers.ok()) << servers.status();
    return Find(servers->at(0), kServerName);
  }

  static std::string AwaitEndOf(MpsDaemon& daemon) {
    std::optional<std::string> end;
    Await([&] { return (end = daemon.TakeEnd()).has_value(); });
    return *end;
  }

  const MpsFolder folder_;
};

TEST_F(MpsDaemonTest, RunsOnTheGpusAndLeavesNothing) {
  auto daemon = Run();
  const ForeignProcess server = MakeServer();
  EXPECT_GE(daemon->pidfd(), 0);
  EXPECT_FALSE(daemon->TakeEnd());
  daemon.reset();
  EXPECT_EQ(folder_.Commands().front(), "start GPU-a,GPU-b");
  EXPECT_EQ(folder_.Commands().back(), "quit");
  EXPECT_TRUE(server.ended());
  EXPECT_THAT(folder_.Remains(), IsEmpty());
}

TEST_F(MpsDaemonTest, ThatIgnoresQuitIsKilledWithItsServer) {
  MpsTimes times = TestTimes();
  times.stop = std::chrono::milliseconds(10);
  auto daemon = Prepare(times);
  ASSERT_TRUE(daemon.ok()) << daemon.status();
  ASSERT_TRUE((*daemon)->Spawn().ok());
  Await([&] { return (*daemon)->control().Servers().ok(); });
  const ForeignProcess server = MakeServer();
  folder_.SetMode("ignore-quit");
  daemon->reset();
  EXPECT_TRUE(server.ended());
  EXPECT_FALSE(folder_.Control().Servers().ok());
  EXPECT_THAT(folder_.Remains(), IsEmpty());
}

TEST_F(MpsDaemonTest, RefusesAFolderInUse) {
  const auto daemon = Run();
  EXPECT_EQ(Prepare().status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(daemon->control().Servers().ok());
}

TEST_F(MpsDaemonTest, SaysHowItEndedAndWhatItSaid) {
  folder_.SetMode("fail");
  auto daemon = Prepare();
  ASSERT_TRUE(daemon.ok()) << daemon.status();
  ASSERT_TRUE((*daemon)->Spawn().ok());
  EXPECT_EQ(AwaitEndOf(**daemon), "exit status 3, it said \"no GPU was found\"");
  EXPECT_EQ((*daemon)->pidfd(), -1);
  EXPECT_FALSE((*daemon)->TakeEnd());
}

// --- what a killed server leaves

TEST_F(MpsDaemonTest, EndsALeftoverThatAnswers) {
  ChildProcess leftover = folder_.StartDaemon();
  const ForeignProcess server = MakeServer();
  const auto daemon = Prepare();
  ASSERT_TRUE(daemon.ok()) << daemon.status();
  EXPECT_EQ(leftover.Reap()->ToString(), "exit status 0");
  EXPECT_THAT(folder_.Commands(), Contains("quit"));
  EXPECT_TRUE(server.ended());
  EXPECT_TRUE((*daemon)->Spawn().ok());
  Await([&] { return (*daemon)->control().Servers().ok(); });
}

TEST_F(MpsDaemonTest, EndsALeftoverThatIgnoresQuit) {
  ChildProcess leftover = folder_.StartDaemon();
  folder_.SetMode("ignore-quit");
  MpsTimes times = TestTimes();
  times.stop = std::chrono::milliseconds(10);
  const auto daemon = Prepare(times);
  EXPECT_TRUE(daemon.ok()) << daemon.status();
  Await([&] { return leftover.Reap().has_value(); });
  EXPECT_TRUE(leftover.Reap()->by_signal);
}

TEST_F(MpsDaemonTest, EndsALeftoverThatHangs) {
  ChildProcess leftover = folder_.StartDaemon();
  folder_.SetMode("hang");
  MpsTimes times = TestTimes();
  times.command = std::chrono::milliseconds(10);
  times.stop = std::chrono::milliseconds(10);
  const auto daemon = Prepare(times);
  EXPECT_TRUE(daemon.ok()) << daemon.status();
  Await([&] { return leftover.Reap().has_value(); });
  EXPECT_TRUE(leftover.Reap()->by_signal);
}

TEST_F(MpsDaemonTest, EndsAServerWhoseDaemonIsGone) {
  ChildProcess leftover = folder_.StartDaemon();
  const ForeignProcess server = MakeServer();
  leftover.Signal(SIGKILL);
  leftover.AwaitEnd(TimePoint::max());
  MpsTimes times = TestTimes();
  times.stop = std::chrono::milliseconds(10);
  EXPECT_TRUE(Prepare(times).ok());
  Await([&] { return server.ended(); });
}

TEST_F(MpsDaemonTest, LeavesAProcessAloneThatHasTheNumberOfAnOldDaemon) {
  const MpsFolder other;
  ChildProcess others = other.StartDaemon();
  for (const pid_t pid : {::getpid(), others.pid()}) {
    fs::create_directories(folder_.directories().pipe);
    std::ofstream(folder_.directories().pipe / "nvidia-cuda-mps-control.pid") << pid;
    EXPECT_TRUE(Prepare().ok());
  }
  EXPECT_FALSE(others.Reap());
  EXPECT_TRUE(other.Control().Servers().ok());
}

// --- servers that outlive their daemon

TEST_F(MpsDaemonTest, KeepsAStaleServerUntilItIsTold) {
  const auto daemon = Run();
  const ForeignProcess server = MakeServer();
  daemon->Kill();
  EXPECT_THAT(AwaitEndOf(*daemon), StartsWith("signal 9 (Killed)"));
  ASSERT_TRUE(daemon->Spawn().ok());
  Await([&] { return daemon->control().Servers().ok(); });
  const ForeignProcess successor = MakeServer();
  EXPECT_FALSE(server.ended());
  daemon->EndStaleServers();
  EXPECT_TRUE(server.ended());
  EXPECT_FALSE(successor.ended());
}

TEST_F(MpsDaemonTest, KnowsAServerThatWasListed) {
  const auto daemon = Run();
  const fs::path program = folder_.path() / kServerName;
  fs::create_symlink(FAKE_MPS_CONTROL, program);
  auto server = ChildProcess::Spawn({.path = program,
                                     .arguments = {},
                                     .environment = {"CUDA_MPS_PIPE_DIRECTORY=/elsewhere"},
                                     .descriptors = {0, 2, 2}});
  ASSERT_TRUE(server.ok()) << server.status();
  Find(server->pid(), kServerName);
  daemon->Remember({server->pid(), ::getpid()});
  daemon->Kill();
  AwaitEndOf(*daemon);
  EXPECT_FALSE(server->Reap());
  daemon->EndStaleServers();
  EXPECT_TRUE(server->Reap());
}

}  // namespace
}  // namespace escan
