// The engine with real workers as clients of a real MPS: what holds when workers die, GPUs fault,
// memory runs out and the control daemon is killed. Prints how long each recovery took.

#include "cuda/gpu_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "mps/foreign_process.h"
#include "mps/gpu_list.h"
#include "server/daemon/local_workers.h"
#include "supervision/cpu_share.h"

namespace escan {
namespace {

constexpr Duration kPatience = std::chrono::minutes(1);
constexpr uint8_t kTraps = 253;  // trapper.pt, see test_models.h

std::string Variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

double Milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// One MPS daemon for all tests; an engine for each.
class GpuEngineTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    config_.devices = ListGpus().gpus;
    if (config_.devices.empty() || Variable("ESCAN_TEST_MODELS").empty()) return;
    config_.devices.resize(1);
    folder_ = std::filesystem::temp_directory_path() / absl::StrCat("escan-gpu-", ::getpid());
    std::filesystem::create_directories(folder_);
    config_.mps.directory = folder_ / "mps";
    const std::filesystem::path programs = Variable("ESCAN_BIN");
    absl::StatusOr<std::shared_ptr<MpsWorkerHost>> host = StartWorkerHost(
        config_, {.cpu = programs / "escan-worker", .gpu = programs / "escan-worker-cuda"},
        {.option = "", .variable = Variable});
    ASSERT_TRUE(host.ok()) << host.status();
    host_ = *std::move(host);
  }
  static void TearDownTestSuite() {
    host_.reset();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  void SetUp() override {
    if (config_.devices.empty()) GTEST_SKIP() << "no GPU is visible to this process";
    if (Variable("ESCAN_TEST_MODELS").empty()) {
      GTEST_SKIP() << "ESCAN_TEST_MODELS names no folder that escan-make-test-models wrote";
    }
    ASSERT_NE(host_, nullptr) << "MPS could not be started";
  }
  void TearDown() override {
    if (host_ != nullptr) host_->OnRestart(nullptr);
    if (engine_ != nullptr) engine_->Stop();
  }

  static Plan Replicas(int count, int percent) {
    Plan plan;
    plan.workers = {{.count = count, .thread_percent = percent, .credits = 2, .stages = {0, 1}}};
    plan.stages.assign(2, {.max_batch = 16, .max_delay = std::chrono::milliseconds(1)});
    return plan;
  }

  void Start(const std::vector<std::string>& models, const Plan& plan,
             std::shared_ptr<WorkerHost> host = host_) {
    const EngineOptions options{.host = std::move(host),
                                .devices = config_.devices,
                                .cache = folder_ / "cache",
                                .cpus = UsableCpus()};
    absl::StatusOr<std::unique_ptr<Engine>> engine =
        Engine::Start(ImageCascade(Variable("ESCAN_TEST_MODELS"), models), plan, options);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }
  void StartServing(const std::vector<std::string>& models, const Plan& plan) {
    const TimePoint start = Clock::now();
    Start(models, plan);
    WaitFor("all workers are ready", [&] { return AllReady(); });
    std::printf("workers ready after %.0f ms\n", Milliseconds(Clock::now() - start));
  }

  bool AllReady() const {
    const EngineStatus status = engine_->AwaitStatus();
    for (const EngineStatus::Worker& worker : status.workers) {
      if (worker.member.state != FleetState::kReady) return false;
    }
    return !status.workers.empty();
  }

  template <typename Condition>
  void WaitFor(const char* what, Condition condition) {
    const TimePoint give_up = Clock::now() + kPatience;
    while (!condition()) {
      if (Clock::now() > give_up) {
        std::string ends;
        for (const EngineStatus::Worker& worker : engine_->AwaitStatus().workers) {
          absl::StrAppend(&ends, "\n  worker ", worker.member.id, " ",
                          std::string(Name(worker.member.state)), ": ", worker.member.last_end);
        }
        FAIL() << "did not happen: " << what << ends;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  std::set<pid_t> Pids() const {
    std::set<pid_t> pids;
    for (const EngineStatus::Worker& worker : engine_->AwaitStatus().workers)
      pids.insert(worker.pid);
    return pids;
  }

  static inline Config config_;
  static inline std::filesystem::path folder_;
  static inline std::shared_ptr<MpsWorkerHost> host_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(GpuEngineTest, AnswersUnderLoadWithTheSharesOfThePlan) {
  StartServing({"trapper.pt", "trapper.pt"}, Replicas(3, 30));
  ImageLoad load(engine_.get(), 8);
  WaitFor("a few thousand answers", [&] { return load.answered() > 3000; });
  load.Stop();
  EXPECT_EQ(load.Mistake(), "");
  const int whole = config_.devices.front().multiprocessors;
  for (const EngineStatus::Worker& worker : engine_->AwaitStatus().workers) {
    EXPECT_NEAR(worker.multiprocessors, whole * 0.3, 2.0);
    EXPECT_GT(worker.device_memory, 0u);
    std::printf("worker %d: %d multiprocessors, %.0f MiB\n", worker.member.id,
                worker.multiprocessors, static_cast<double>(worker.device_memory) / (1 << 20));
  }
}

TEST_F(GpuEngineTest, ARowThatMakesAKernelTrapFailsAlone) {
  StartServing({"trapper.pt", "trapper.pt"}, Replicas(3, 30));
  ImageLoad load(engine_.get(), 8);
  WaitFor("answers", [&] { return load.answered() > 500; });
  const std::set<pid_t> before = Pids();
  for (int round = 0; round < 2; ++round) {
    const TimePoint start = Clock::now();
    ImageCall trap(engine_.get(), {{250, 0, 0, 0}, {kTraps, 0, 0, 0}, {0, 250, 0, 0}});
    ASSERT_TRUE(trap.Send());
    const Outcome& outcome = trap.Wait();
    EXPECT_EQ(outcome.code, OutcomeCode::kWorkerKilled) << outcome.message;
    EXPECT_EQ(outcome.row, 1);
    const TimePoint failed = Clock::now();
    const int64_t answered = load.answered();
    WaitFor("all workers are back", [&] { return AllReady() && load.answered() > answered + 200; });
    std::printf("trap: failed after %.0f ms, all workers back after %.0f ms\n",
                Milliseconds(failed - start), Milliseconds(Clock::now() - start));
  }
  load.Stop();
  EXPECT_EQ(load.Mistake(), "");
  // Each row took two workers, who were among those that began or their successors; whoever the
  // driver told nothing goes on.
  std::set<pid_t> left = Pids();
  std::erase_if(left, [&](pid_t pid) { return !before.contains(pid); });
  EXPECT_LE(left.size(), 1u);
}

TEST_F(GpuEngineTest, NoRequestFailsWhileWorkersAreKilledUnderLoad) {
  StartServing({"trapper.pt", "trapper.pt"}, Replicas(3, 30));
  ImageLoad load(engine_.get(), 8);
  for (int round = 0; round < 4; ++round) {
    const int64_t answered = load.answered();
    WaitFor("answers", [&] { return load.answered() > answered + 500; });
    const TimePoint start = Clock::now();
    const pid_t victim = *Pids().begin();
    ASSERT_EQ(::kill(victim, SIGKILL), 0);
    WaitFor("another worker is there", [&] { return AllReady() && !Pids().contains(victim); });
    std::printf("kill -9: all workers back after %.0f ms\n", Milliseconds(Clock::now() - start));
  }
  load.Stop();
  EXPECT_EQ(load.Mistake(), "");
}

TEST_F(GpuEngineTest, NoRequestFailsWhenTheControlDaemonIsKilled) {
  StartServing({"trapper.pt", "trapper.pt"}, Replicas(2, 50));
  const std::set<pid_t> before = Pids();
  std::promise<absl::Status> renewed;
  host_->OnRestart([&] {
    engine_->RenewWorkers(0, [&](absl::Status status) {
      host_->EndStaleServers();
      renewed.set_value(std::move(status));
    });
  });
  ImageLoad load(engine_.get(), 8);
  WaitFor("answers", [&] { return load.answered() > 500; });
  const std::vector<ForeignProcess> daemons = ForeignProcess::FindAll(
      "nvidia-cuda-mps-control",
      absl::StrCat("CUDA_MPS_PIPE_DIRECTORY=", (config_.mps.directory / "pipe").string()));
  ASSERT_EQ(daemons.size(), 1u);
  const TimePoint start = Clock::now();
  ASSERT_EQ(::kill(daemons.front().pid(), SIGKILL), 0);
  std::future<absl::Status> result = renewed.get_future();
  ASSERT_EQ(result.wait_for(kPatience), std::future_status::ready);
  EXPECT_TRUE(result.get().ok());
  std::printf("control daemon killed: all workers renewed after %.0f ms\n",
              Milliseconds(Clock::now() - start));
  const int64_t answered = load.answered();
  WaitFor("answers of the new workers", [&] { return load.answered() > answered + 500; });
  load.Stop();
  EXPECT_EQ(load.Mistake(), "");
  EXPECT_EQ(host_->Status().restarts, 1);
  for (const pid_t pid : Pids()) EXPECT_FALSE(before.contains(pid));
}

TEST_F(GpuEngineTest, APlanWhoseWorkersLackMemoryAtLoadIsGivenUp) {
  StartServing({"trapper.pt", "trapper.pt"}, Replicas(1, 50));
  Plan tight = Replicas(1, 50);
  tight.workers[0].memory_limit = size_t{64} << 20;
  ImageLoad load(engine_.get(), 4);
  const TimePoint start = Clock::now();
  const absl::StatusOr<PlanChange> change = engine_->SetPlan(tight);
  std::printf("given up after %.0f ms\n", Milliseconds(Clock::now() - start));
  EXPECT_FALSE(change.ok());
  std::printf("%s\n", change.status().ToString().c_str());
  const int64_t answered = load.answered();
  WaitFor("answers of the plan before", [&] { return load.answered() > answered + 200; });
  load.Stop();
  EXPECT_EQ(load.Mistake(), "");
}

TEST_F(GpuEngineTest, APlanWhoseWorkersLackMemoryAtCaptureIsGivenUp) {
  StartServing({"trapper.pt", "hog.pt"}, Replicas(1, 50));
  Plan tight = Replicas(1, 50);
  tight.workers[0].memory_limit = size_t{900} << 20;  // hog.pt takes 512 MiB for 16 rows
  ImageLoad load(engine_.get(), 4);
  const TimePoint start = Clock::now();
  const absl::StatusOr<PlanChange> change = engine_->SetPlan(tight);
  std::printf("given up after %.0f ms\n", Milliseconds(Clock::now() - start));
  EXPECT_FALSE(change.ok());
  EXPECT_THAT(std::string(change.status().message()), testing::HasSubstr("memory"));
  std::printf("%s\n", change.status().ToString().c_str());
  const int64_t answered = load.answered();
  WaitFor("answers of the plan before", [&] { return load.answered() > answered + 200; });
  load.Stop();
  EXPECT_EQ(load.Mistake(), "");
}

TEST_F(GpuEngineTest, NoRequestFailsWhileThePlanChangesBackAndForth) {
  StartServing({"trapper.pt", "trapper.pt"}, Replicas(2, 50));
  Plan pipeline = Replicas(1, 100);
  pipeline.workers = {{.thread_percent = 60, .credits = 2, .stages = {0}},
                      {.thread_percent = 60, .credits = 2, .stages = {1}}};
  ImageLoad load(engine_.get(), 8);
  for (int round = 0; round < 4; ++round) {
    const absl::StatusOr<PlanChange> change =
        engine_->SetPlan(round % 2 == 0 ? pipeline : Replicas(2, 50));
    ASSERT_TRUE(change.ok()) << change.status();
    std::printf("plan changed in %.0f ms\n", Milliseconds(change->took));
    const int64_t answered = load.answered();
    WaitFor("answers", [&] { return load.answered() > answered + 300; });
  }
  load.Stop();
  EXPECT_EQ(load.Mistake(), "");
}

// Starts workers that look for MPS where there is none, as after a mistake in the environment.
class LostHost : public WorkerHost {
 public:
  explicit LostHost(std::shared_ptr<MpsWorkerHost> host) : host_(std::move(host)) {}
  absl::StatusOr<WorkerCommand> CommandFor(const WorkerGroup& role) override {
    absl::StatusOr<WorkerCommand> command = host_->CommandFor(role);
    if (!command.ok()) return command;
    for (std::string& variable : command->environment) {
      if (absl::StartsWith(variable, "CUDA_MPS_PIPE_DIRECTORY=")) {
        variable = "CUDA_MPS_PIPE_DIRECTORY=/nonexistent";
      }
    }
    return command;
  }
  void Kill(const WorkerProcess& process, const WorkerGroup& role) override {
    host_->Kill(process, role);
  }
  void Verify(const WorkerProcess& process, const WorkerGroup& role, int multiprocessors,
              Verified done) override {
    host_->Verify(process, role, multiprocessors, std::move(done));
  }

 private:
  const std::shared_ptr<MpsWorkerHost> host_;
};

TEST_F(GpuEngineTest, AWorkerThatRunsWithoutMpsDoesNotServe) {
  Start({"trapper.pt", "trapper.pt"}, Replicas(1, 50), std::make_shared<LostHost>(host_));
  WaitFor("the worker is refused",
          [&] { return engine_->AwaitStatus().workers[0].member.failed_starts >= 1; });
  EXPECT_THAT(engine_->AwaitStatus().workers[0].member.last_end, testing::HasSubstr("MPS"));
  EXPECT_FALSE(engine_->ready());
}

}  // namespace
}  // namespace escan
