#include <algorithm>
#include <csignal>
#include <future>
#include <string>

#include "engine/engine_harness.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace escan {
namespace {

// First bytes that the misbehaving worker's mode `poison` knows.
constexpr uint8_t kKillsItsWorker = 0xEE;
constexpr uint8_t kFailsItsRow = 0xDD;

pid_t AnyPid(const EngineStatus& status) {
  for (const EngineStatus::Worker& worker : status.workers) {
    if (worker.pid != 0) return worker.pid;
  }
  return 0;
}

TEST(EngineFaults, AnswersEveryRequestWhileWorkersAreKilledAgainAndAgain) {
  EngineHarness harness(TestCascade(2), TestPlan(2, 2), "good");
  harness.WaitReady();
  std::vector<std::unique_ptr<EngineHarness::Request>> requests;
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 10; ++i) requests.push_back(harness.Submit({3, 200}));
    const pid_t victim = AnyPid(harness.engine().AwaitStatus());
    if (victim != 0) ::kill(victim, SIGKILL);
    for (int i = 0; i < 10; ++i) {
      requests.push_back(harness.Submit({200, 4}));
      ASSERT_NE(requests.back(), nullptr);
    }
    for (size_t i = 0; i < requests.size(); ++i) {
      harness.ExpectAnswered(*requests[i],
                             i < 10 ? std::vector<uint8_t>{3, 200} : std::vector<uint8_t>{200, 4});
      EXPECT_EQ(requests[i]->call.completions(), 1);
    }
    requests.clear();
  }
  harness.WaitFor([](const EngineStatus& status) { return status.stages[0].ready_workers == 2; });
  EXPECT_GE(harness.engine().AwaitStatus().worker_restarts, 1u);
}

TEST(EngineFaults, FailsARowThatKillsItsWorkerAloneAndWithTwoWorkersAtMost) {
  EngineHarness harness(TestCascade(2), TestPlan(3, 2), "poison");
  harness.WaitReady();
  const auto before = harness.Submit({1, 2, 200});
  const auto poison = harness.Submit({5, kKillsItsWorker, 200});
  const auto after = harness.Submit({6, 200});
  const Outcome& outcome = poison->call.Wait();
  EXPECT_EQ(outcome.code, OutcomeCode::kWorkerKilled);
  EXPECT_EQ(outcome.row, 1);
  EXPECT_EQ(outcome.stage, 0);
  harness.engine().Release(poison->key);
  harness.ExpectAnswered(*before, {1, 2, 200});
  harness.ExpectAnswered(*after, {6, 200});
  harness.WaitFor([](const EngineStatus& status) { return status.stages[0].ready_workers == 3; });
  EXPECT_EQ(harness.engine().AwaitStatus().worker_restarts, 2u);
}

TEST(EngineFaults, FailsOnlyTheRequestOfARowThatTheModelThrowsOn) {
  EngineHarness harness(TestCascade(2), TestPlan(1, 2), "poison");
  harness.WaitReady();
  const auto good = harness.Submit({200});
  const auto bad = harness.Submit({200, kFailsItsRow});
  const Outcome& outcome = bad->call.Wait();
  EXPECT_EQ(outcome.code, OutcomeCode::kStageFailed);
  EXPECT_EQ(outcome.stage, 0);
  EXPECT_EQ(outcome.row, 1);
  EXPECT_FALSE(outcome.message.empty());
  harness.engine().Release(bad->key);
  harness.ExpectAnswered(*good, {200});
  EXPECT_EQ(harness.engine().AwaitStatus().worker_restarts, 0u);
}

// Each of these workers is ended and replaced by one that misbehaves again, so the row that it held
// ends two of them and fails; the engine itself goes on.
class Misbehaving : public testing::TestWithParam<std::string> {};

TEST_P(Misbehaving, IsEndedAndItsRowFailsAfterASecondTry) {
  EngineHarness harness(TestCascade(1), TestPlan(1, 1), GetParam());
  harness.WaitReady();
  const auto request = harness.Submit({9});
  EXPECT_EQ(request->call.Wait().code, OutcomeCode::kWorkerKilled);
  EXPECT_EQ(request->call.completions(), 1);
  harness.engine().Release(request->key);
  harness.WaitFor([](const EngineStatus& status) { return status.worker_restarts >= 2; });
  EXPECT_FALSE(harness.engine().AwaitStatus().workers[0].member.last_end.empty());
}

INSTANTIATE_TEST_SUITE_P(Modes, Misbehaving,
                         testing::Values("die-mid-batch", "garbage", "wrong-sequence",
                                         "wrong-rows"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(EngineFaults, EndsAWorkerThatNeverAnswersAndSaysWhy) {
  EngineHarness harness(TestCascade(1), TestPlan(1, 1), "hang");
  harness.WaitReady();
  const auto request = harness.Submit({9});
  harness.WaitFor([](const EngineStatus& status) { return status.worker_restarts >= 1; });
  EXPECT_EQ(harness.engine().AwaitStatus().workers[0].member.last_end,
            "ended by the daemon because it did not answer a batch in time");
  harness.engine().Cancel(request->key);
  EXPECT_EQ(request->call.Wait().code, OutcomeCode::kCancelled);
  harness.engine().Release(request->key);
}

TEST(EngineFaults, AcceptsOnlyTheFirstAnswerToABatch) {
  EngineHarness harness(TestCascade(1), TestPlan(1, 1), "answers-twice");
  harness.WaitReady();
  const auto request = harness.Submit({200});
  harness.ExpectAnswered(*request, {200});
  EXPECT_EQ(request->call.completions(), 1);
  harness.WaitFor([](const EngineStatus& status) { return status.worker_restarts >= 1; });
}

TEST(EngineFaults, IgnoresAnswersOfAnotherIncarnation) {
  EngineHarness harness(TestCascade(1), TestPlan(1, 1), "wrong-incarnation");
  harness.WaitReady();
  const auto request = harness.Submit({200});
  harness.ExpectAnswered(*request, {200});
  EXPECT_EQ(request->call.completions(), 1);
  EXPECT_EQ(harness.engine().AwaitStatus().worker_restarts, 0u);
}

TEST(EngineFaults, ReportsAWorkerThatDiesAtItsStartAndStaysNotReady) {
  EngineHarness harness(TestCascade(1), TestPlan(1, 1), "die-at-start");
  harness.WaitFor(
      [](const EngineStatus& status) { return status.workers[0].member.failed_starts >= 2; });
  EXPECT_FALSE(harness.engine().ready());
  EXPECT_THAT(harness.engine().AwaitStatus().workers[0].member.last_end,
              testing::HasSubstr("exit status"));
}

TEST(EngineFaults, RefusesRequestsWithTheReasonWhileStartsFail) {
  EngineHarness harness(TestCascade(2), TestPlan(2, 2), "fails-to-load");
  harness.WaitFor([&](const EngineStatus&) {
    return harness.engine().not_ready_reason().ends_with("no such model");
  });
  const absl::Status refused = harness.engine().Acquire(1).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(refused.message(),
            "stage 'stage0' of model 'test' has no ready worker: exit status 9: no such model");
  EXPECT_EQ(harness.engine().not_ready_reason(), refused.message());
  EXPECT_EQ(harness.engine().AwaitStatus().slots_in_use, 0);
}

TEST(EngineFaults, AdmitsRequestsWhileWorkersMerelyStart) {
  EngineHarness harness(TestCascade(1), TestPlan(1, 1), "never-ready");
  EXPECT_EQ(harness.engine().not_ready_reason(),
            "stage 'stage0' of model 'test' has no ready worker");
  const absl::StatusOr<RequestKey> key = harness.engine().Acquire(1);
  ASSERT_TRUE(key.ok()) << key.status();
  harness.engine().Release(*key);
}

TEST(EngineFaults, OneWorkerOfAStageThatStartsIsEnough) {
  EngineHarness harness(TestCascade(1), TestPlan(2, 1), "good-as-worker-0");
  harness.WaitReady();
  harness.WaitFor(
      [](const EngineStatus& status) { return status.workers[1].member.failed_starts >= 2; });
  EXPECT_EQ(harness.engine().not_ready_reason(), "");
  const auto request = harness.Submit({200});
  harness.ExpectAnswered(*request, {200});
}

TEST(EngineFaults, AnEngineWhoseThreadStandsStillDoesNotAnswer) {
  EngineHarness harness(TestCascade(1), TestPlan(1, 1), "good");
  EXPECT_TRUE(harness.engine().Answers(Clock::now() + std::chrono::minutes(1)));
  std::promise<void> go_on;
  harness.engine().OnReadyChange([&, first = true](bool) mutable {
    if (std::exchange(first, false)) go_on.get_future().wait();
  });
  EXPECT_FALSE(harness.engine().Answers(Clock::now() + std::chrono::milliseconds(1)));
  go_on.set_value();
  EXPECT_TRUE(harness.engine().Answers(Clock::now() + std::chrono::minutes(1)));
}

TEST(EngineFaults, TellsOfStagesThatCannotBeServedAsConfigured) {
  EngineHarness harness(TestCascade(1), TestPlan(1, 1), "unservable");
  std::promise<std::string> told;
  harness.engine().OnUnservable([&, first = true](const std::string& reason) mutable {
    if (std::exchange(first, false)) told.set_value(reason);
  });
  EXPECT_EQ(told.get_future().get(), "stage 'first': another shape");
  harness.engine().OnUnservable([](const std::string&) {});
  harness.engine().AwaitStatus();  // the callback above is replaced when this has been answered
}

TEST(EngineFaults, ReportsAWorkerProgramThatDoesNotExist) {
  EngineOptions options;
  Plan plan = TestPlan(1, 1);
  CascadeSpec cascade = TestCascade(1);
  options.host =
      std::make_shared<PlainWorkerHost>(WorkerCommand{.program = "/nonexistent/escan-worker"});
  options.devices = {Device{}};
  options.cpus = {0};
  const absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Start(cascade, plan, options);
  ASSERT_TRUE(engine.ok());
  std::string last_end;
  while (last_end.empty()) {
    const EngineStatus status = (*engine)->AwaitStatus();
    if (!status.workers.empty()) last_end = status.workers[0].member.last_end;
  }
  EXPECT_THAT(last_end, testing::HasSubstr("/nonexistent/escan-worker"));
}

}  // namespace
}  // namespace escan
