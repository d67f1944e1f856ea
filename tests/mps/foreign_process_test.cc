#include "mps/foreign_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "mps/mps_fixture.h"

namespace escan {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kProgram[] = "nvidia-cuda-mps-control";

TEST(ForeignProcess, IsFoundByItsProgram) {
  const MpsFolder folder;
  ChildProcess daemon = folder.StartDaemon();
  EXPECT_FALSE(ForeignProcess::Find(daemon.pid(), "nvidia-cuda-mps-server"));
  EXPECT_FALSE(ForeignProcess::Find(::getpid(), kProgram));
  const auto found = ForeignProcess::Find(daemon.pid(), kProgram);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->pid(), daemon.pid());
  EXPECT_FALSE(found->ended());
  EXPECT_THAT(found->Environment().value(),
              Contains("CUDA_MPS_PIPE_DIRECTORY=" + folder.directories().pipe.string()));
  found->End(std::chrono::seconds(60));
  EXPECT_TRUE(found->ended());
  EXPECT_EQ(daemon.Reap()->value, SIGTERM);
  EXPECT_FALSE(found->Environment());
  EXPECT_FALSE(ForeignProcess::Find(daemon.pid(), kProgram));
}

TEST(ForeignProcess, IsFoundByItsEnvironment) {
  const MpsFolder folder;
  const MpsFolder other;
  const ChildProcess daemon = folder.StartDaemon();
  const ChildProcess another = other.StartDaemon();
  const std::string variable = folder.PipeVariable();
  const auto found = ForeignProcess::FindAll(kProgram, variable);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found.front().pid(), daemon.pid());
  EXPECT_THAT(ForeignProcess::FindAll(kProgram, variable + "x"), IsEmpty());
}

TEST(ForeignProcess, IsLookedForWhileOthersEnd) {
  std::atomic<bool> done = false;
  std::thread others([&] {
    while (!done) {
      auto other = ChildProcess::Spawn(
          {.path = "true", .arguments = {}, .environment = {}, .descriptors = {}});
      EXPECT_TRUE(other.ok()) << other.status();
    }
  });
  for (int i = 0; i < 1000; ++i) {
    EXPECT_THAT(ForeignProcess::FindAll(kProgram, "NO=DAEMON"), IsEmpty());
  }
  done = true;
  others.join();
}

TEST(ForeignProcess, ThatDoesNotEndIsKilled) {
  const MpsFolder folder;
  folder.SetMode("ignore-term");
  ChildProcess daemon = folder.StartDaemon();
  const auto found = ForeignProcess::Find(daemon.pid(), kProgram);
  ASSERT_TRUE(found);
  found->End(std::chrono::milliseconds(10));
  Await([&] { return found->ended(); });
  EXPECT_EQ(daemon.Reap()->value, SIGKILL);
}

}  // namespace
}  // namespace escan
