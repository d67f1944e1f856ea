#include "mps/mps_worker_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <future>
#include <memory>
#include <utility>

#include "mps/mps_worker_host_fixture.h"

namespace escan {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
// --- what is executed

TEST_F(MpsWorkerHostTest, RunsACpuWorkerAsItIs) {
  Start(Mode::kManaged);
  const auto command = host_->CommandFor(OnCpu());
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(command->program, "/bin/cpu");
  EXPECT_THAT(command->environment, ElementsAre("A=1"));
  EXPECT_FALSE(host_->SharesFaults(OnCpu()));
}

TEST_F(MpsWorkerHostTest, GivesAGpuWorkerItsShareOfTheManagedDaemon) {
  Start(Mode::kManaged);
  WorkerGroup role = OnGpu(30);
  role.memory_limit = (size_t{3} << 30) + 1;
  const auto command = host_->CommandFor(role);
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(command->program, "/bin/gpu");
  EXPECT_THAT(command->arguments, ElementsAre("y"));
  EXPECT_THAT(command->environment,
              ElementsAre("B=2", "CUDA_VISIBLE_DEVICES=GPU-a",
                          "CUDA_MPS_PIPE_DIRECTORY=" + folder_.directories().pipe.string(),
                          "CUDA_MPS_LOG_DIRECTORY=" + folder_.directories().log.string(),
                          "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE=30",
                          "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT=0=3073M"));
  EXPECT_TRUE(host_->SharesFaults(role));
}

TEST_F(MpsWorkerHostTest, LeavesTheLogsOfAnExternalDaemonToIt) {
  const ChildProcess daemon = folder_.StartDaemon();
  Start(Mode::kExternal);
  EXPECT_THAT(host_->CommandFor(OnGpu())->environment,
              ElementsAre("B=2", "CUDA_VISIBLE_DEVICES=GPU-a",
                          "CUDA_MPS_PIPE_DIRECTORY=" + folder_.directories().pipe.string(),
                          "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE=100"));
}

TEST_F(MpsWorkerHostTest, KeepsGpuWorkersOutOfMpsWhenItIsOff) {
  Start(Mode::kOff);
  EXPECT_THAT(
      host_->CommandFor(OnGpu())->environment,
      ElementsAre("B=2", "CUDA_VISIBLE_DEVICES=GPU-a", "CUDA_MPS_PIPE_DIRECTORY=/dev/null"));
  EXPECT_FALSE(host_->SharesFaults(OnGpu()));
  EXPECT_EQ(host_->Status().mode, Mode::kOff);
  EXPECT_THAT(folder_.Remains(), IsEmpty());
}

TEST_F(MpsWorkerHostTest, NeedsNoControlProgramWithoutAGpu) {
  MpsWorkerHost::Options options;
  options.devices = {Device{}};
  options.mps = {.mode = Mode::kManaged, .directory = folder_.path()};
  options.control_program = "escan-no-such-program";
  const auto host = MpsWorkerHost::Start(options);
  ASSERT_TRUE(host.ok()) << host.status();
  EXPECT_EQ((*host)->Status().mode, Mode::kOff);
  EXPECT_THAT(folder_.Remains(), IsEmpty());
}

// --- how one is ended

TEST_F(MpsWorkerHostTest, TellsTheDaemonBeforeItKillsAClient) {
  Start(Mode::kManaged);
  WorkerProcess process = SpawnReady("good");
  folder_.SetClients({1, process.pid()});
  host_->Kill(process, OnGpu());
  EXPECT_EQ(AwaitExit(process).value, SIGKILL);
  EXPECT_TRUE(WasToldToTerminate(process));
}

TEST_F(MpsWorkerHostTest, KillsAProcessThatIsNoClientAtOnce) {
  Start(Mode::kManaged);
  WorkerProcess process = SpawnReady("good");
  folder_.SetClients({1});
  host_->Kill(process, OnGpu());
  EXPECT_EQ(AwaitExit(process).value, SIGKILL);
  EXPECT_THAT(folder_.Commands(), Each(Not(StartsWith("terminate_client"))));
}

TEST_F(MpsWorkerHostTest, KillsOneOnTheCpuWithoutTheDaemon) {
  Start(Mode::kManaged);
  WorkerProcess process = SpawnReady("good");
  folder_.SetClients({process.pid()});
  host_->Kill(process, OnCpu());
  EXPECT_EQ(AwaitExit(process).value, SIGKILL);
  EXPECT_FALSE(WasToldToTerminate(process));
}

TEST_F(MpsWorkerHostTest, KillsAClientThatTheDaemonDoesNotTerminate) {
  Start(Mode::kManaged);
  WorkerProcess process = SpawnReady("good");
  folder_.SetClients({process.pid()});
  folder_.SetMode("refuse-terminate");
  host_->Kill(process, OnGpu());
  EXPECT_EQ(AwaitExit(process).value, SIGKILL);
  EXPECT_TRUE(WasToldToTerminate(process));
}

TEST_F(MpsWorkerHostTest, KillsClientsOfADaemonThatHangs) {
  times_.command = times_.terminate = std::chrono::milliseconds(300);
  for (const char* mode : {"hang", "hang-terminate"}) {
    Start(Mode::kManaged);
    std::vector<WorkerProcess> processes;
    std::vector<pid_t> pids;
    for (int i = 0; i < 4; ++i) {
      processes.push_back(SpawnReady("good"));
      pids.push_back(processes.back().pid());
    }
    folder_.SetClients(pids);
    folder_.SetMode(mode);
    for (const WorkerProcess& process : processes) host_->Kill(process, OnGpu());
    for (WorkerProcess& process : processes) {
      EXPECT_EQ(AwaitExit(process).value, SIGKILL);
      EXPECT_FALSE(WasToldToTerminate(process)) << mode;
    }
    folder_.SetMode("");
    host_.reset();
  }
}

TEST_F(MpsWorkerHostTest, KillsWithoutADaemon) {
  Start(Mode::kManaged);
  WorkerProcess process = SpawnReady("good");
  folder_.SetMode("fail");
  ::kill(DaemonPid(), SIGKILL);
  Await([&] { return !host_->Status().running; });
  host_->Kill(process, OnGpu());
  EXPECT_EQ(AwaitExit(process).value, SIGKILL);
}

TEST_F(MpsWorkerHostTest, TakesAProcessThatIsDestroyedRightAfter) {
  Start(Mode::kManaged);
  {
    const WorkerProcess process = SpawnReady("good");
    folder_.SetClients({process.pid()});
    host_->Kill(process, OnGpu());
  }
  WorkerProcess next = SpawnReady("good");
  host_->Kill(next, OnGpu());
  EXPECT_EQ(AwaitExit(next).value, SIGKILL);
}

TEST_F(MpsWorkerHostTest, EndsInOrderWhatIsStillToBeEndedWhenItIsDestroyed) {
  Start(Mode::kManaged);
  WorkerProcess process = SpawnReady("good");
  folder_.SetClients({process.pid()});
  host_->Kill(process, OnGpu());
  host_.reset();
  EXPECT_EQ(AwaitExit(process).value, SIGKILL);
  EXPECT_TRUE(WasToldToTerminate(process));
  EXPECT_EQ(folder_.Commands().back(), "quit");
}

// --- the daemon's life

TEST_F(MpsWorkerHostTest, StopsItsDaemonAndLeavesNothing) {
  Start(Mode::kManaged);
  EXPECT_TRUE(host_->Status().running);
  EXPECT_EQ(host_->Status().mode, Mode::kManaged);
  const auto daemon = ForeignProcess::Find(DaemonPid(), "nvidia-cuda-mps-control");
  ASSERT_TRUE(daemon);
  host_.reset();
  EXPECT_TRUE(daemon->ended());
  EXPECT_THAT(folder_.Remains(), IsEmpty());
}

TEST_F(MpsWorkerHostTest, EndsWhatAKilledServerLeft) {
  ChildProcess leftover = folder_.StartDaemon();
  Start(Mode::kManaged);
  EXPECT_EQ(leftover.Reap()->ToString(), "exit status 0");
  EXPECT_NE(DaemonPid(), leftover.pid());
}

TEST_F(MpsWorkerHostTest, RefusesAFolderInUse) {
  Start(Mode::kManaged);
  EXPECT_THAT(Text(TryStart(Mode::kManaged).status()), HasSubstr("in use by another server"));
}

TEST_F(MpsWorkerHostTest, SaysThatWorkersHaveToBeRenewedAfterARestart) {
  Start(Mode::kManaged);
  folder_.SetClients({1});
  Await([&] { return !host_->Status().servers.empty(); });
  const ForeignProcess server = Find(host_->Status().servers.at(0), "nvidia-cuda-mps-server");
  std::promise<void> restarted;
  host_->OnRestart([&] { restarted.set_value(); });

  folder_.SetMode("fail");
  ::kill(DaemonPid(), SIGKILL);
  Await([&] { return !host_->Status().running; });
  EXPECT_EQ(host_->CommandFor(OnGpu()).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(host_->Status().reason, HasSubstr("the control daemon ended"));
  EXPECT_TRUE(host_->CommandFor(OnCpu()).ok());
  folder_.SetMode("");
  restarted.get_future().wait();
  EXPECT_TRUE(host_->CommandFor(OnGpu()).ok());
  EXPECT_EQ(host_->Status().restarts, 1);
  EXPECT_FALSE(server.ended());
  host_->EndStaleServers();
  EXPECT_TRUE(server.AwaitEnd(TimePoint::max()));
}

TEST_F(MpsWorkerHostTest, WaitsForAnExternalDaemonToComeBack) {
  auto daemon = std::make_unique<ChildProcess>(folder_.StartDaemon());
  Start(Mode::kExternal);
  std::promise<void> restarted;
  host_->OnRestart([&] { restarted.set_value(); });
  daemon.reset();
  Await([&] { return !host_->CommandFor(OnGpu()).ok(); });
  std::filesystem::remove_all(folder_.directories().pipe);
  const ChildProcess successor = folder_.StartDaemon();
  restarted.get_future().wait();
  EXPECT_TRUE(host_->CommandFor(OnGpu()).ok());
  host_.reset();
  EXPECT_FALSE(folder_.WasTold("quit"));
  EXPECT_TRUE(folder_.Control().Servers().ok());
}

TEST_F(MpsWorkerHostTest, TellsNobodyOnceNobodyAsks) {
  Start(Mode::kManaged);
  bool told = false;
  host_->OnRestart([&] { told = true; });
  host_->OnRestart(nullptr);
  ::kill(DaemonPid(), SIGKILL);
  Await([&] { return host_->Status().restarts == 1; });
  host_.reset();
  EXPECT_FALSE(told);
}

}  // namespace
}  // namespace escan
