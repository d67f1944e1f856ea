#include <algorithm>
#include <atomic>
#include <future>
#include <thread>

#include "engine/engine_harness.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace escan {
namespace {

Plan PipelinePlan() {
  Plan plan = TestPlan(1, 2);
  plan.workers = {{.stages = {0}}, {.stages = {1}}};
  return plan;
}

Plan AllParallelPlan() {
  Plan plan = PipelinePlan();
  plan.stages[1].speculate = true;
  plan.options.cancel = CancelPolicy::kNever;
  return plan;
}

Plan SequentialPlan() {
  Plan plan = TestPlan(1, 2);
  plan.options.regroup = false;
  return plan;
}

TEST(EnginePlan, ChangesPoliciesWithoutTouchingWorkers) {
  EngineHarness harness(TestCascade(2), TestPlan(1, 2, 8), "good");
  harness.WaitReady();
  const pid_t pid = harness.engine().AwaitStatus().workers[0].pid;
  const absl::StatusOr<PlanChange> change = harness.engine().SetPlan(TestPlan(1, 2, 3));
  ASSERT_TRUE(change.ok()) << change.status();
  EXPECT_EQ(change->workers_started, 0);
  EXPECT_EQ(change->workers_stopped, 0);
  const EngineStatus status = harness.engine().AwaitStatus();
  EXPECT_EQ(status.stages[0].policy.max_batch, 3);
  EXPECT_EQ(status.workers[0].pid, pid);
}

TEST(EnginePlan, StartsTheNewWorkersAndEndsTheOldOnes) {
  EngineHarness harness(TestCascade(2), TestPlan(1, 2), "good");
  harness.WaitReady();
  const absl::StatusOr<PlanChange> change = harness.engine().SetPlan(PipelinePlan());
  ASSERT_TRUE(change.ok()) << change.status();
  EXPECT_EQ(change->workers_started, 2);
  EXPECT_EQ(change->workers_stopped, 1);
  const EngineStatus status = harness.engine().AwaitStatus();
  EXPECT_EQ(status.workers.size(), 2u);
  EXPECT_EQ(status.plan, PipelinePlan());
  EXPECT_EQ(status.plan_changes, 1u);
  EXPECT_EQ(status.worker_restarts, 0u);
}

TEST(EnginePlan, LosesNoRequestWhileThePlanChangesBackAndForth) {
  EngineHarness harness(TestCascade(2, 1024), TestPlan(2, 2), "good");
  harness.WaitReady();
  std::atomic<bool> stop{false};
  std::thread client([&] {
    while (!stop) {
      std::vector<std::unique_ptr<EngineHarness::Request>> requests;
      for (int i = 0; i < 20; ++i) requests.push_back(harness.Submit({3, 200, 9}));
      for (const auto& request : requests) harness.ExpectAnswered(*request, {3, 200, 9});
    }
  });
  for (const Plan& plan : {PipelinePlan(), AllParallelPlan(), SequentialPlan(), TestPlan(2, 2),
                           PipelinePlan(), SequentialPlan()}) {
    const absl::StatusOr<PlanChange> change = harness.engine().SetPlan(plan);
    EXPECT_TRUE(change.ok()) << change.status();
    EXPECT_TRUE(harness.engine().ready());
  }
  stop = true;
  client.join();
}

TEST(EnginePlan, TheLastOfManyPlansCounts) {
  EngineHarness harness(TestCascade(2), TestPlan(1, 2), "good");
  harness.WaitReady();
  const auto request = harness.Submit({1});
  std::vector<std::thread> operators;
  std::atomic<int> done{0};
  std::atomic<int> superseded{0};
  for (int i = 0; i < 4; ++i) {
    operators.emplace_back([&, i] {
      const absl::StatusOr<PlanChange> change =
          harness.engine().SetPlan(i % 2 == 0 ? PipelinePlan() : TestPlan(3, 2));
      (change.ok() ? done : superseded) += 1;
      if (!change.ok()) {
        EXPECT_EQ(change.status().code(), absl::StatusCode::kAborted);
      }
    });
  }
  for (std::thread& thread : operators) thread.join();
  EXPECT_GE(done, 1);
  EXPECT_EQ(done + superseded, 4);
  EXPECT_FALSE(harness.engine().AwaitStatus().plan_change_in_progress);
  harness.ExpectAnswered(*request, {1});
}

int Processes(const EngineStatus& status) {
  return static_cast<int>(std::ranges::count_if(
      status.workers, [](const EngineStatus::Worker& worker) { return worker.pid != 0; }));
}

TEST(EnginePlan, StartsNewWorkersOneAfterTheOtherWhileSomeServe) {
  EngineHarness harness(TestCascade(2), TestPlan(1, 2), "ready-as-first");
  harness.WaitReady();
  std::future<absl::StatusOr<PlanChange>> change = std::async(
      std::launch::async, [&harness] { return harness.engine().SetPlan(TestPlan(4, 2)); });
  harness.WaitFor([](const EngineStatus& status) { return Processes(status) == 2; });
  for (int i = 0; i < 20; ++i) harness.ExpectAnswered(*harness.Submit({1, 200}), {1, 200});
  const EngineStatus status = harness.engine().AwaitStatus();
  EXPECT_EQ(status.workers.size(), 4u);
  EXPECT_EQ(Processes(status), 2) << "the new one is not ready yet";
  // What was begun is ended at once by the next plan.
  const absl::StatusOr<PlanChange> back = harness.engine().SetPlan(TestPlan(1, 2));
  EXPECT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(change.get().status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Processes(harness.engine().AwaitStatus()), 1);
}

// Alone it would be ended after a second.
TEST(EnginePlan, EndsNoWorkerThatItsNewNeighboursHoldUp) {
  EngineHarness harness(TestCascade(1), TestPlan(1, 1), "slows-down");
  harness.WaitReady();
  for (int i = 0; i < 20; ++i) harness.ExpectAnswered(*harness.Submit({200}), {200});
  std::future<absl::StatusOr<PlanChange>> change = std::async(
      std::launch::async, [&harness] { return harness.engine().SetPlan(TestPlan(2, 1)); });
  harness.WaitFor([](const EngineStatus& status) { return Processes(status) == 2; });
  harness.ExpectAnswered(*harness.Submit({200}), {200});
  EXPECT_EQ(harness.engine().AwaitStatus().worker_restarts, 0u);
  EXPECT_TRUE(harness.engine().SetPlan(TestPlan(1, 1)).ok());
  EXPECT_EQ(change.get().status().code(), absl::StatusCode::kAborted);
}

TEST(EnginePlan, IsRefusedWithWhatIsWrongWhereNewWorkersAnswerWrongly) {
  Plan good = TestPlan(1, 2);
  good.workers.front().thread_percent = 100;
  EngineHarness harness(TestCascade(2), good, "wrong-with-one-thread", {.cpus = {0, 1}});
  harness.WaitReady();
  const pid_t pid = harness.engine().AwaitStatus().workers[0].pid;
  const absl::StatusOr<PlanChange> change = harness.engine().SetPlan(TestPlan(1, 2));  // 50 %
  EXPECT_EQ(change.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(change.status().message()),
              testing::HasSubstr("stage 'stage0' answers wrongly: row 0: 1 where 0 is right"));
  const EngineStatus status = harness.engine().AwaitStatus();
  EXPECT_EQ(status.plan, good);
  EXPECT_EQ(status.plan_changes, 0u);
  ASSERT_EQ(status.workers.size(), 1u);
  EXPECT_EQ(status.workers[0].pid, pid);
  harness.ExpectAnswered(*harness.Submit({1, 200}), {1, 200});
}

TEST(EnginePlan, KeepsServingWhenTheNewWorkersCannotBeStarted) {
  EngineHarness harness(TestCascade(2), TestPlan(1, 2), "good-as-worker-0");
  harness.WaitReady();
  const absl::StatusOr<PlanChange> change = harness.engine().SetPlan(PipelinePlan());
  EXPECT_EQ(change.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(harness.engine().ready());
  EXPECT_EQ(harness.engine().AwaitStatus().plan, TestPlan(1, 2));
  harness.ExpectAnswered(*harness.Submit({1, 200}), {1, 200});
}

}  // namespace
}  // namespace escan
