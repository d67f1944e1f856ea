#include <memory>
#include <string>
#include <vector>

#include "engine/answer_records.h"
#include "engine/engine_harness.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace escan {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

CascadeSpec VerifiedCascade() {
  CascadeSpec cascade = TestCascade(1);
  cascade.verify_every = 1;
  return cascade;
}

uint64_t Checked(const EngineStatus& status) { return status.stages[0].statistics.answers_checked; }

// One request after the other, each answered, until it is so.
template <typename Condition>
void AskUntil(EngineHarness& harness, Condition condition) {
  for (int i = 0; i < 10'000 && !condition(harness.engine().AwaitStatus()); ++i) {
    // Two batches at a time, so that every worker answers.
    const auto first = harness.Submit({200, 3, 4, 5, 6, 7, 8, 9});
    const auto second = harness.Submit({10});
    harness.ExpectAnswered(*first, {200, 3, 4, 5, 6, 7, 8, 9});
    harness.ExpectAnswered(*second, {10});
  }
  EXPECT_TRUE(condition(harness.engine().AwaitStatus()));
}

TEST(EngineVerification, FindsNothingWrongWithWorkersThatAnswerAlike) {
  EngineHarness harness(VerifiedCascade(), TestPlan(2, 1), "good");
  harness.WaitReady();
  AskUntil(harness, [](const EngineStatus& status) { return Checked(status) >= 20; });
  const EngineStatus status = harness.engine().AwaitStatus();
  EXPECT_EQ(status.stages[0].statistics.answers_wrong, 0u);
  EXPECT_EQ(status.stages[0].statistics.answers_doubtful, 0u);
  EXPECT_EQ(status.worker_restarts, 0u);
  EXPECT_THAT(status.doubtful_shares, IsEmpty());
  uint64_t by_worker = 0;
  for (const WorkerAnswers& answers : status.answers) by_worker += answers.checked;
  EXPECT_EQ(by_worker, Checked(status));
}

TEST(EngineVerification, ReplacesTheWorkerOfTwoThatAnswersWronglyNowAndThen) {
  EngineHarness harness(VerifiedCascade(), TestPlan(2, 1), "wrong-as-worker-1");
  harness.WaitReady();
  AskUntil(harness, [](const EngineStatus& status) { return status.worker_restarts >= 1; });
  const EngineStatus status = harness.engine().AwaitStatus();
  ASSERT_THAT(status.doubtful_shares, testing::SizeIs(1));
  EXPECT_EQ(status.doubtful_shares[0].thread_percent, 50);
  EXPECT_THAT(status.doubtful_shares[0].stages, ElementsAre(0));
  EXPECT_EQ(status.workers[1].member.last_end,
            "ended by the daemon because its answers were wrong in 2 checks");
  for (const WorkerAnswers& answers : status.answers) {
    EXPECT_EQ(answers.wrong > 0, answers.worker == 1);
  }
  EXPECT_EQ(status.workers[0].member.restarts, 0u);
}

TEST(EngineVerification, ReplacesAWorkerThatContradictsItself) {
  EngineHarness harness(VerifiedCascade(), TestPlan(1, 1), "always-differs");
  harness.WaitReady();
  AskUntil(harness, [](const EngineStatus& status) { return status.worker_restarts >= 2; });
  ASSERT_THAT(harness.engine().AwaitStatus().doubtful_shares, testing::SizeIs(1));
  EXPECT_GE(harness.engine().AwaitStatus().doubtful_shares[0].replaced, 2);
}

TEST(EngineVerification, IsOffWithoutANumber) {
  CascadeSpec cascade = VerifiedCascade();
  cascade.verify_every = 0;
  EngineHarness harness(cascade, TestPlan(1, 1), "always-differs");
  harness.WaitReady();
  for (int i = 0; i < 20; ++i) harness.ExpectAnswered(*harness.Submit({200, 3}), {200, 3});
  EXPECT_EQ(Checked(harness.engine().AwaitStatus()), 0u);
  EXPECT_EQ(harness.engine().AwaitStatus().worker_restarts, 0u);
}

Comparison WrongWorker(WorkerId worker) {
  return {.stage = 1, .rows = 4, .differ = 3, .answered = 0, .compared = worker, .wrong = worker};
}

TEST(AnswerRecords, AWorkerIsToBeReplacedWhenItWasWrongTwice) {
  AnswerRecords records;
  EXPECT_FALSE(records.Add(WrongWorker(2)));
  EXPECT_FALSE(records.Add(WrongWorker(1)));
  EXPECT_TRUE(records.Add(WrongWorker(2)));
  EXPECT_FALSE(records.Add(WrongWorker(2))) << "it was said";
  records.Started(2);
  EXPECT_FALSE(records.Add(WrongWorker(2)));
  EXPECT_TRUE(records.Add(WrongWorker(2)));
}

TEST(AnswerRecords, CountRowsByWorkerAndStage) {
  AnswerRecords records;
  records.Add(WrongWorker(2));
  records.Add({.stage = 0, .rows = 5, .answered = 2, .compared = 0});
  EXPECT_THAT(records.all(), ElementsAre(WorkerAnswers{.worker = 0, .stage = 1, .checked = 4},
                                         WorkerAnswers{.worker = 2, .stage = 0, .checked = 5},
                                         WorkerAnswers{.worker = 2, .stage = 1, .wrong = 3}));
  EXPECT_EQ(records.of(0, 1).checked, 4u);
  EXPECT_EQ(records.of(7, 0), (WorkerAnswers{.worker = 7}));
}

TEST(AnswerRecords, RememberDoubtfulSharesByWhatTheyAre) {
  AnswerRecords records;
  records.Doubt({.device = 1, .thread_percent = 30, .stages = {0}});
  records.Doubt({.device = 1, .thread_percent = 40, .stages = {0}});
  records.Doubt({.device = 1, .thread_percent = 30, .credits = 2, .stages = {0}});
  EXPECT_THAT(
      records.doubtful_shares(),
      ElementsAre(DoubtfulShare{.device = 1, .stages = {0}, .thread_percent = 30, .replaced = 2},
                  DoubtfulShare{.device = 1, .stages = {0}, .thread_percent = 40, .replaced = 1}));
}

}  // namespace
}  // namespace escan
