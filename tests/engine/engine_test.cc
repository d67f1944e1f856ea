#include "engine/engine.h"

#include "engine/engine_harness.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace escan {
namespace {

TEST(Engine, AnswersEveryRowAtTheStageItsScoreAsksFor) {
  EngineHarness harness(TestCascade(3), TestPlan(1, 3), "good");
  harness.WaitReady();
  const std::vector<uint8_t> bytes = {0, 255, 127, 128, 3, 200};
  harness.ExpectAnswered(*harness.Submit(bytes), bytes);
}

TEST(Engine, AnswersRequestsThatCameBeforeItWasReady) {
  EngineHarness harness(TestCascade(2), TestPlan(1, 2), "good");
  const auto request = harness.Submit({7, 250});
  harness.ExpectAnswered(*request, {7, 250});
}

TEST(Engine, RefusesAtOnceWhatDoesNotFitTheSlots) {
  EngineHarness harness(TestCascade(1, 8), TestPlan(1, 1), "never-ready");
  const auto request = harness.Submit({1, 2, 3, 4, 5, 6});
  const absl::StatusOr<RequestKey> refused = harness.engine().Acquire(3);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.status().message(),
            "no room for 3 rows: of the 8 slots of model 'test', 6 are in use");
  harness.engine().Cancel(request->key);
  EXPECT_EQ(request->call.Wait().code, OutcomeCode::kCancelled);
  harness.engine().Release(request->key);
}

TEST(Engine, AnswersAtTheDeadlineWhenNoWorkerEverIsReady) {
  EngineHarness harness(TestCascade(1), TestPlan(1, 1), "never-ready");
  const auto request = harness.Submit({1}, std::chrono::milliseconds(20));
  EXPECT_EQ(request->call.Wait().code, OutcomeCode::kDeadlineExceeded);
  harness.engine().Release(request->key);
}

TEST(Engine, FreesSlotsThatWereNeverSubmitted) {
  EngineHarness harness(TestCascade(1, 4), TestPlan(1, 1), "good");
  const RequestKey key = *harness.engine().Acquire(4);
  harness.engine().Release(key);
  EXPECT_TRUE(harness.engine().WaitUntilIdle(Clock::now()));
}

TEST(Engine, IsIdleOnceAllAnswersAreReleased) {
  EngineHarness harness(TestCascade(2), TestPlan(2, 2), "good");
  harness.WaitReady();
  std::vector<std::unique_ptr<EngineHarness::Request>> requests;
  for (int i = 0; i < 50; ++i) requests.push_back(harness.Submit({static_cast<uint8_t>(i * 5)}));
  for (int i = 0; i < 50; ++i) {
    harness.ExpectAnswered(*requests[static_cast<size_t>(i)], {static_cast<uint8_t>(i * 5)});
  }
  EXPECT_TRUE(harness.engine().WaitUntilIdle(Clock::now() + std::chrono::minutes(1)));
}

TEST(Engine, CountsWhatEachStageDid) {
  EngineHarness harness(TestCascade(2), TestPlan(1, 2), "good");
  harness.WaitReady();
  const std::vector<uint8_t> bytes = {0, 0, 200, 200, 200};
  harness.ExpectAnswered(*harness.Submit(bytes), bytes);
  const EngineStatus status = harness.engine().AwaitStatus();
  EXPECT_EQ(status.stages[0].statistics.samples_executed, 5u);
  EXPECT_EQ(status.stages[0].statistics.samples_exited, 3u);
  EXPECT_EQ(status.stages[1].statistics.samples_exited, 2u);
  EXPECT_DOUBLE_EQ(status.stages[0].statistics.exits.estimate().ratio(), 0.6);
  EXPECT_EQ(status.requests, 0);
  EXPECT_TRUE(status.ready);
}

TEST(Engine, UsesANewThresholdAtOnce) {
  EngineHarness harness(TestCascade(2), TestPlan(1, 2), "good");
  harness.WaitReady();
  harness.engine().SetThresholds({{0, 0.9f}});
  const auto request = harness.Submit({200});
  ASSERT_EQ(request->call.Wait().code, OutcomeCode::kOk);
  EXPECT_THAT(harness.ExitStages(*request), testing::ElementsAre(1));
  harness.engine().Release(request->key);
}

TEST(Engine, CompletesWhatIsInsideWhenItIsStopped) {
  EngineHarness harness(TestCascade(1), TestPlan(1, 1), "hang");
  const auto first = harness.Submit({1});
  const auto second = harness.Submit({2});
  harness.engine().Stop();
  EXPECT_EQ(first->call.Wait().code, OutcomeCode::kUnavailable);
  EXPECT_EQ(second->call.Wait().code, OutcomeCode::kUnavailable);
  const auto late = harness.Submit({3});
  EXPECT_EQ(late->call.Wait().code, OutcomeCode::kUnavailable);
  for (const auto* request : {first.get(), second.get(), late.get()}) {
    EXPECT_EQ(request->call.completions(), 1);
    harness.engine().Release(request->key);
  }
  EXPECT_TRUE(harness.engine().WaitUntilIdle(Clock::now()));
}

TEST(Engine, StopsTwiceWithoutHarm) {
  EngineHarness harness(TestCascade(1), TestPlan(1, 1), "good");
  harness.engine().Stop();
  harness.engine().Stop();
  EXPECT_FALSE(harness.engine().ready());
}

}  // namespace
}  // namespace escan
