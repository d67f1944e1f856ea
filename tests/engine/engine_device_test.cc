// Workers that share a device whose faults are one's and all's, and hosts that have a say.

#include <csignal>
#include <future>
#include <set>

#include "engine/engine_harness.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "supervision/misbehaving_rows.h"
#include "supervision/misbehaving_worker.h"

namespace escan {
namespace {

// Like clients of MPS.
class FaultSharingHost : public PlainWorkerHost {
 public:
  using PlainWorkerHost::PlainWorkerHost;
  bool SharesFaults(const WorkerGroup&) const override { return true; }
};

EngineOptions FaultSharing() {
  EngineOptions options;
  options.host = std::make_shared<FaultSharingHost>(MisbehavingWorker("device-fault"));
  return options;
}

std::set<pid_t> Pids(const EngineStatus& status) {
  std::set<pid_t> pids;
  for (const EngineStatus::Worker& worker : status.workers) pids.insert(worker.pid);
  return pids;
}

TEST(EngineDevice, AFaultReplacesAllWorkersAndFailsOnlyTheRowThatCausesIt) {
  EngineHarness harness(TestCascade(2, 512), TestPlan(3, 2), "", FaultSharing());
  harness.WaitReady();
  const std::set<pid_t> before = Pids(harness.engine().AwaitStatus());
  std::vector<std::unique_ptr<EngineHarness::Request>> good;
  for (int i = 0; i < 20; ++i) good.push_back(harness.Submit({3, 200, 7}));
  const auto deadly = harness.Submit({5, kDeadlyByte, 200});
  for (int i = 0; i < 20; ++i) good.push_back(harness.Submit({3, 200, 7}));

  const Outcome& outcome = deadly->call.Wait();
  EXPECT_EQ(outcome.code, OutcomeCode::kWorkerKilled);
  EXPECT_EQ(outcome.row, 1);
  harness.engine().Release(deadly->key);
  for (const auto& request : good) harness.ExpectAnswered(*request, {3, 200, 7});
  harness.WaitFor([](const EngineStatus& status) { return status.stages[0].ready_workers == 3; });
  for (const pid_t pid : Pids(harness.engine().AwaitStatus())) EXPECT_FALSE(before.contains(pid));
}

TEST(EngineDevice, TellsWhoListensOfAFaultOnce) {
  EngineHarness harness(TestCascade(1), TestPlan(2, 1), "", FaultSharing());
  harness.WaitReady();
  std::promise<int> told;
  harness.engine().OnDeviceFault([&](int device) { told.set_value(device); });
  const auto deadly = harness.Submit({kDeadlyByte});
  EXPECT_EQ(told.get_future().get(), 0);
  harness.engine().OnDeviceFault(nullptr);
  EXPECT_EQ(deadly->call.Wait().code, OutcomeCode::kWorkerKilled);
  harness.engine().Release(deadly->key);
}

TEST(EngineDevice, ReplacesItsWorkersWhenAnotherEngineSaysThatTheDeviceFailed) {
  EngineHarness harness(TestCascade(1), TestPlan(2, 1), "good");
  harness.WaitFor([](const EngineStatus& status) { return status.stages[0].ready_workers == 2; });
  const std::set<pid_t> before = Pids(harness.engine().AwaitStatus());
  harness.engine().DeviceFaulted(1);
  EXPECT_EQ(Pids(harness.engine().AwaitStatus()), before) << "it uses device 0 only";
  harness.engine().DeviceFaulted(0);
  harness.WaitFor([&](const EngineStatus& status) {
    return status.stages[0].ready_workers == 2 && status.worker_restarts == 2;
  });
  const auto request = harness.Submit({200});
  harness.ExpectAnswered(*request, {200});
}

TEST(EngineDevice, EndsAWorkerThatStaysAlthoughItsDeviceFailed) {
  EngineHarness harness(TestCascade(1), TestPlan(1, 1), "ignores-stop");
  harness.WaitReady();
  harness.engine().DeviceFaulted(0);
  harness.WaitFor([](const EngineStatus& status) { return status.worker_restarts == 1; });
  EXPECT_EQ(harness.engine().AwaitStatus().workers[0].member.last_end,
            "ended by the daemon because it did not end although its device is in error");
}

TEST(EngineDevice, RenewsWorkersWithoutAGap) {
  EngineHarness harness(TestCascade(1), TestPlan(2, 1), "good");
  harness.WaitReady();
  const std::set<pid_t> before = Pids(harness.engine().AwaitStatus());
  bool was_ready = true;
  harness.engine().OnReadyChange([&](bool ready) { was_ready = was_ready && ready; });
  std::promise<absl::Status> done;
  harness.engine().RenewWorkers(0, [&](absl::Status status) { done.set_value(status); });
  EXPECT_TRUE(done.get_future().get().ok());
  const EngineStatus status = harness.engine().AwaitStatus();
  EXPECT_TRUE(was_ready);
  EXPECT_EQ(status.workers.size(), 2u);
  EXPECT_EQ(status.plan_changes, 0u);
  for (const pid_t pid : Pids(status)) EXPECT_FALSE(before.contains(pid));
  harness.engine().OnReadyChange([](bool) {});
  harness.engine().AwaitStatus();
}

TEST(EngineDevice, RenewsAfterThePlanChangeThatIsUnderWay) {
  EngineHarness harness(TestCascade(1), TestPlan(1, 1), "good");
  harness.WaitReady();
  std::promise<absl::Status> first;
  std::promise<absl::Status> second;
  harness.engine().RenewWorkers(0, [&](absl::Status status) { first.set_value(status); });
  harness.engine().RenewWorkers(0, [&](absl::Status status) { second.set_value(status); });
  EXPECT_TRUE(first.get_future().get().ok());
  EXPECT_TRUE(second.get_future().get().ok());
}

// Says no to workers until it is told otherwise.
class StrictHost : public PlainWorkerHost {
 public:
  using PlainWorkerHost::PlainWorkerHost;
  void Verify(const WorkerProcess&, const WorkerGroup&, int, Verified done) override {
    if (refusals_ == 0) return done(absl::OkStatus());
    --refusals_;
    done(absl::FailedPreconditionError("it runs without MPS"));
  }

 private:
  int refusals_ = 2;
};

TEST(EngineDevice, AWorkerThatDoesNotRunAsPlannedNeverServes) {
  EngineOptions options;
  options.host = std::make_shared<StrictHost>(MisbehavingWorker("good"));
  EngineHarness harness(TestCascade(1), TestPlan(1, 1), "", options);
  harness.WaitFor(
      [](const EngineStatus& status) { return status.workers[0].member.failed_starts == 2; });
  EXPECT_EQ(harness.engine().AwaitStatus().workers[0].member.last_end,
            "ended by the daemon because it runs without MPS");
  harness.WaitReady();
}

}  // namespace
}  // namespace escan
