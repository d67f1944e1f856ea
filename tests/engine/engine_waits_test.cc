// What may take long beside the engine's thread holds up nobody else.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <string>
#include <thread>

#include "engine/engine_harness.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "supervision/misbehaving_worker.h"

namespace escan {
namespace {

using testing::HasSubstr;

// Requests are answered, settings made and the status read.
void ExpectEngineGoesOn(EngineHarness& harness) {
  for (int i = 0; i < 20; ++i) {
    const auto request = harness.Submit({200, 255});
    ASSERT_NE(request, nullptr);
    harness.ExpectAnswered(*request, {200, 255});
  }
  harness.engine().SetThresholds({{0, 0.5f}});
  EXPECT_TRUE(harness.engine().Answers(Clock::now() + std::chrono::minutes(1)));
}

pid_t PidOf(const EngineStatus& status, WorkerId worker) {
  for (const EngineStatus::Worker& candidate : status.workers) {
    if (candidate.member.id == worker) return candidate.pid;
  }
  return 0;
}

bool AllReady(const EngineStatus& status, int workers) {
  return status.stages[0].ready_workers == workers;
}

// A host whose CommandFor takes as long as the test wants: so do all starts.
class SlowHost : public PlainWorkerHost {
 public:
  SlowHost() : PlainWorkerHost(MisbehavingWorker("good")) {}
  absl::StatusOr<WorkerCommand> CommandFor(const WorkerGroup& role) override {
    const std::lock_guard<std::mutex> wait(held);
    return PlainWorkerHost::CommandFor(role);
  }
  std::mutex held;
};

TEST(EngineWaits, NotForTheStartOfAWorker) {
  const auto host = std::make_shared<SlowHost>();
  EngineHarness harness(TestCascade(2), TestPlan(2, 2), "", {.host = host});
  harness.WaitReady();
  harness.WaitFor([](const EngineStatus& status) { return AllReady(status, 2); });
  {
    const std::lock_guard<std::mutex> hold(host->held);
    ::kill(PidOf(harness.engine().AwaitStatus(), 1), SIGKILL);
    harness.WaitFor([](const EngineStatus& status) {
      return PidOf(status, 1) == 0 && status.workers[1].member.state == FleetState::kStarting;
    });
    ExpectEngineGoesOn(harness);
    EXPECT_EQ(PidOf(harness.engine().AwaitStatus(), 1), 0);
  }
  harness.WaitFor([](const EngineStatus& status) { return AllReady(status, 2); });
}

TEST(EngineWaits, NotForAStartThatNobodyWantsAnyMore) {
  const auto host = std::make_shared<SlowHost>();
  EngineHarness harness(TestCascade(2), TestPlan(1, 2), "", {.host = host});
  harness.WaitReady();
  {
    const std::lock_guard<std::mutex> hold(host->held);
    std::future<absl::StatusOr<PlanChange>> superseded = std::async(
        std::launch::async, [&harness] { return harness.engine().SetPlan(TestPlan(3, 2)); });
    harness.WaitFor([](const EngineStatus& status) { return status.workers.size() == 3; });
    std::future<absl::StatusOr<PlanChange>> last = std::async(
        std::launch::async, [&harness] { return harness.engine().SetPlan(TestPlan(1, 2)); });
    EXPECT_EQ(superseded.get().status().code(), absl::StatusCode::kAborted);
    ExpectEngineGoesOn(harness);
    host->held.unlock();
    EXPECT_TRUE(last.get().ok());
    host->held.lock();
  }
  const EngineStatus status = harness.engine().AwaitStatus();
  EXPECT_EQ(status.plan, TestPlan(1, 2));
  EXPECT_EQ(status.workers.size(), 1u);
}

// What OomKillCounter reads takes until the test has written it.
class SlowFile {
 public:
  SlowFile() {
    std::string folder = (std::filesystem::temp_directory_path() / "escan-test-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) std::abort();
    folder_ = folder;
    if (::mkfifo(path().c_str(), 0600) != 0) std::abort();
  }
  ~SlowFile() { std::filesystem::remove_all(folder_); }
  std::filesystem::path path() const { return folder_ / "vmstat"; }
  // Lets the one reader that there is, or will be, have it.
  void Give() const { std::ofstream(path()) << "oom_kill 0\n"; }

 private:
  std::filesystem::path folder_;
};

TEST(EngineWaits, NotForWhatTheKernelSaysOfADeath) {
  const SlowFile vmstat;
  EngineHarness harness(TestCascade(2), TestPlan(2, 2), "good", {.vmstat = vmstat.path()});
  vmstat.Give();
  harness.WaitFor([](const EngineStatus& status) { return AllReady(status, 1); });
  vmstat.Give();
  harness.WaitFor([](const EngineStatus& status) { return AllReady(status, 2); });
  ::kill(PidOf(harness.engine().AwaitStatus(), 1), SIGKILL);
  ExpectEngineGoesOn(harness);
  EXPECT_EQ(harness.engine().AwaitStatus().worker_restarts, 0u) << "nobody knows yet why it ended";
  vmstat.Give();  // of the end
  harness.WaitFor([](const EngineStatus& status) { return status.worker_restarts == 1; });
  vmstat.Give();  // of the start
  harness.WaitFor([](const EngineStatus& status) { return AllReady(status, 2); });
}

TEST(EngineWaits, NotForTheLastWordOfAWorkerThatGoesOnAndOn) {
  Plan plan = TestPlan(1, 2);
  plan.workers = {{.count = 1, .thread_percent = 50, .stages = {0}},
                  {.count = 1, .thread_percent = 50, .stages = {1}}};
  EngineHarness harness(TestCascade(2), plan, "floods-as-second");
  harness.WaitReady();
  const auto stuck = harness.Submit({3});  // goes on to the stage of the second worker
  harness.WaitFor([](const EngineStatus& status) { return status.stages[1].in_flight == 1; });
  ExpectEngineGoesOn(harness);
  // It is ended for the batch that it does not answer, and another answers it.
  harness.ExpectAnswered(*stuck, {3});
  const EngineStatus status = harness.engine().AwaitStatus();
  EXPECT_EQ(status.worker_restarts, 1u);
  EXPECT_THAT(status.workers[1].member.last_end, HasSubstr("did not answer a batch in time"));
}

TEST(EngineWaits, AndItsStatusIsReadWhileItsThreadStandsStill) {
  EngineHarness harness(TestCascade(2), TestPlan(1, 2), "good");
  harness.WaitReady();
  std::promise<void> go_on;
  std::promise<void> stands;
  harness.engine().OnReadyChange([&, told = false](bool) mutable {
    if (std::exchange(told, true)) return;
    stands.set_value();
    go_on.get_future().wait();
  });
  stands.get_future().wait();
  const EngineStatus status = harness.engine().Status();
  EXPECT_TRUE(status.ready);
  EXPECT_EQ(status.plan, TestPlan(1, 2));
  EXPECT_FALSE(harness.engine().Answers(Clock::now() + std::chrono::milliseconds(10)));
  go_on.set_value();
  EXPECT_TRUE(harness.engine().Answers(Clock::now() + std::chrono::minutes(1)));
}

}  // namespace
}  // namespace escan
