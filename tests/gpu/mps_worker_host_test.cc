#include "gpu/mps_worker_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <future>
#include <memory>
#include <utility>

#include "gpu/mps_fixture.h"

namespace escan {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using Mode = MpsConfig::Mode;

std::string Text(const absl::Status& status) { return std::string(status.message()); }

constexpr WorkerGroup OnCpu() { return {.device = 0}; }
WorkerGroup OnGpu(int percent = 100) { return {.device = 1, .thread_percent = percent}; }

// Workers are real processes; the daemon and its clients are what `folder_` says.
class MpsWorkerHostTest : public WorkerProcessTest {
 protected:
  absl::StatusOr<std::unique_ptr<MpsWorkerHost>> TryStart(Mode mode) {
    MpsWorkerHost::Options options;
    options.devices = {Device{}, {Device::Kind::kGpu, "H100", "GPU-a", 132, 1}};
    options.mps.mode = mode;
    options.mps.directory = mode == Mode::kExternal ? folder_.directories().pipe : folder_.path();
    options.cpu_command = {.program = "/bin/cpu", .arguments = {"x"}, .environment = {"A=1"}};
    options.gpu_command = {.program = "/bin/gpu", .arguments = {"y"}, .environment = {"B=2"}};
    options.control_program = FAKE_MPS_CONTROL;
    options.times = times_;
    return MpsWorkerHost::Start(std::move(options));
  }
  void Start(Mode mode) {
    auto host = TryStart(mode);
    ASSERT_TRUE(host.ok()) << host.status();
    host_ = *std::move(host);
  }

  std::future<absl::Status> Verify(const WorkerProcess& process, const WorkerGroup& role,
                                   int multiprocessors) {
    auto promise = std::make_shared<std::promise<absl::Status>>();
    host_->Verify(process, role, multiprocessors,
                  [promise](absl::Status status) { promise->set_value(std::move(status)); });
    return promise->get_future();
  }

  pid_t DaemonPid() const {
    pid_t pid = 0;
    std::ifstream(folder_.directories().pipe / "nvidia-cuda-mps-control.pid") >> pid;
    return pid;
  }

  bool WasToldToTerminate(const WorkerProcess& process) const {
    const std::string end = " " + std::to_string(process.pid()) + " alive";
    for (const std::string& command : folder_.Commands()) {
      if (command.starts_with("terminate_client ") && command.ends_with(end)) return true;
    }
    return false;
  }

  const MpsFolder folder_;
  MpsTimes times_ = TestTimes();
  std::unique_ptr<MpsWorkerHost> host_;
};

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

// --- whether one has its share

TEST_F(MpsWorkerHostTest, AcceptsAListedClientWithItsShare) {
  Start(Mode::kManaged);
  const WorkerProcess process = SpawnReady("good");
  folder_.SetClients({1, process.pid()});
  const absl::Status status = Verify(process, OnGpu(30), 38).get();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(MpsWorkerHostTest, WaitsForTheListOfClients) {
  times_.listing = std::chrono::seconds(60);
  Start(Mode::kManaged);
  const WorkerProcess process = SpawnReady("good");
  folder_.SetClients({1});
  auto verified = Verify(process, OnGpu(), 132);
  Await([&] {
    for (const std::string& command : folder_.Commands()) {
      if (command.starts_with("get_client_list")) return true;
    }
    return false;
  });
  folder_.SetClients({1, process.pid()});
  EXPECT_TRUE(verified.get().ok());
}

TEST_F(MpsWorkerHostTest, RefusesAWorkerWithoutMps) {
  Start(Mode::kManaged);
  const WorkerProcess process = SpawnReady("good");
  folder_.SetClients({1, 2});
  for (const auto& [percent, seen] : {std::pair{100, 132}, {50, 66}}) {
    const absl::Status status = Verify(process, OnGpu(percent), seen).get();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(Text(status), "process " + std::to_string(process.pid()) +
                                " is no client of the MPS control daemon in " +
                                folder_.directories().pipe.string() +
                                " (its clients: 1,2): the worker runs without MPS");
  }
}

TEST_F(MpsWorkerHostTest, RefusesAWorkerWithAnotherShare) {
  Start(Mode::kManaged);
  const WorkerProcess process = SpawnReady("good");
  folder_.SetClients({process.pid()});
  EXPECT_THAT(Text(Verify(process, OnGpu(50), 132).get()),
              AllOf(HasSubstr("sees 132 of the GPU's 132 multiprocessors, expected about 66"),
                    HasSubstr("runs without MPS")));
  EXPECT_THAT(Text(Verify(process, OnGpu(50), 38).get()), HasSubstr("sees 38 of the GPU's 132"));
  EXPECT_EQ(Text(Verify(process, OnGpu(50), 0).get()), "the worker does not see its GPU");
}

TEST_F(MpsWorkerHostTest, AcceptsAShareThatAnotherContainersDaemonCannotList) {
  const ChildProcess daemon = folder_.StartDaemon();
  Start(Mode::kExternal);
  const WorkerProcess process = SpawnReady("good");
  folder_.SetClients({7});
  EXPECT_TRUE(Verify(process, OnGpu(50), 66).get().ok());
  EXPECT_THAT(Text(Verify(process, OnGpu(100), 132).get()), HasSubstr("runs without MPS"));
  folder_.SetClients({});
  EXPECT_THAT(Text(Verify(process, OnGpu(50), 66).get()), HasSubstr("(its clients: none)"));
}

TEST_F(MpsWorkerHostTest, RequiresAnExternalDaemonToListAllOnceItListsOne) {
  const ChildProcess daemon = folder_.StartDaemon();
  Start(Mode::kExternal);
  const WorkerProcess listed = SpawnReady("good");
  const WorkerProcess unlisted = SpawnReady("good");
  folder_.SetClients({listed.pid()});
  EXPECT_TRUE(Verify(listed, OnGpu(50), 66).get().ok());
  EXPECT_THAT(Text(Verify(unlisted, OnGpu(50), 66).get()), HasSubstr("runs without MPS"));
}

TEST_F(MpsWorkerHostTest, ExpectsTheWholeGpuWithoutMps) {
  Start(Mode::kOff);
  const WorkerProcess process = SpawnReady("good");
  EXPECT_TRUE(Verify(process, OnGpu(), 132).get().ok());
  EXPECT_THAT(Text(Verify(process, OnGpu(), 66).get()),
              AllOf(HasSubstr("sees 66 of the GPU's 132"), HasSubstr("although MPS is off")));
  EXPECT_TRUE(Verify(process, OnCpu(), 0).get().ok());
}

TEST_F(MpsWorkerHostTest, CannotVerifyWithoutADaemon) {
  Start(Mode::kManaged);
  const WorkerProcess process = SpawnReady("good");
  folder_.SetMode("fail");
  ::kill(DaemonPid(), SIGKILL);
  Await([&] { return !host_->Status().running; });
  EXPECT_EQ(Verify(process, OnGpu(), 132).get().code(), absl::StatusCode::kUnavailable);
}

TEST_F(MpsWorkerHostTest, AnswersEveryVerificationWhenItIsDestroyed) {
  times_.listing = std::chrono::seconds(60);
  Start(Mode::kManaged);
  const WorkerProcess process = SpawnReady("good");
  std::vector<std::future<absl::Status>> verified;
  for (int i = 0; i < 3; ++i) verified.push_back(Verify(process, OnGpu(), 132));
  host_.reset();
  for (auto& status : verified) EXPECT_EQ(status.get().code(), absl::StatusCode::kCancelled);
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
