// Stages that start before the one before them answered.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduling/scheduler_harness.h"

namespace escan {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Speculation : public SchedulerTest {
 protected:
  void SetUp() override {
    Stages(3);
    policy(1).speculate = policy(2).speculate = true;
  }

  // One worker a stage; returns the three batches of one sample.
  std::vector<Sent> RunEverywhere(SlotId slot) {
    for (int stage = 0; stage < 3; ++stage) Ready(stage, {stage});
    key_ = Admit({slot});
    Advance();
    return {Take(), Take(), Take()};
  }

  RequestKey key_;
};

TEST_F(Speculation, QueuesASampleAtAllStagesAtOnce) {
  Start();
  const std::vector<Sent> sent = RunEverywhere(0);
  EXPECT_EQ(sent[0].stage + sent[1].stage + sent[2].stage, 3);
}

TEST_F(Speculation, StopsAtAStageThatDoesNotSpeculate) {
  policy(1).speculate = false;
  Start();
  Ready(0, {0});
  Admit({0});
  EXPECT_EQ(scheduler_->queued(0), 1);
  EXPECT_EQ(scheduler_->queued(1), 0);
  EXPECT_EQ(scheduler_->queued(2), 0);
  Advance();
  Done(Take(), {0.1f});
  EXPECT_EQ(scheduler_->queued(1), 1);
  EXPECT_EQ(scheduler_->queued(2), 1) << "queued there as soon as it is queued at the stage before";
}

TEST_F(Speculation, AnEarlyWordOfALaterStageWaitsForTheEarlierOnes) {
  Start();
  const std::vector<Sent> sent = RunEverywhere(0);
  Done(sent[2], {0.9f});
  Done(sent[1], {0.8f});
  EXPECT_THAT(actions_.completed, IsEmpty());
  Done(sent[0], {0.1f});
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
  EXPECT_EQ(scheduler_->answer(0).stage, 1);
  EXPECT_FLOAT_EQ(scheduler_->answer(0).score, 0.8f);
  EXPECT_THAT(actions_.settled, ElementsAre(key_));
}

TEST_F(Speculation, TheEarlierStageAnswersAndTheOthersOnlySettle) {
  Start();
  const std::vector<Sent> sent = RunEverywhere(0);
  Done(sent[0], {0.9f});
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
  EXPECT_EQ(scheduler_->answer(0).stage, 0);
  EXPECT_THAT(actions_.settled, IsEmpty());
  Done(sent[1], {0.9f});
  EXPECT_THAT(actions_.settled, IsEmpty());
  Done(sent[2], {0.9f});
  EXPECT_THAT(actions_.settled, ElementsAre(key_));
  EXPECT_EQ(scheduler_->answer(0).stage, 0);
  EXPECT_THAT(actions_.completed, SizeIs(1));
}

TEST_F(Speculation, WaitingCopiesOfAnAnsweredSampleAreDropped) {
  Start();
  Ready(0, {0});
  const RequestKey key = Admit({0});
  Advance();
  Done(Take(), {0.9f});
  EXPECT_EQ(scheduler_->queued(1), 0);
  EXPECT_EQ(scheduler_->queued(2), 0);
  EXPECT_THAT(actions_.settled, ElementsAre(key));
}

TEST_F(Speculation, WithCancelNeverAllCopiesAreExecuted) {
  plan_.options.cancel = CancelPolicy::kNever;
  Start();
  Ready(0, {0});
  const RequestKey key = Admit({0});
  Advance();
  Done(Take(), {0.9f});
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
  EXPECT_EQ(scheduler_->queued(1), 1);
  EXPECT_THAT(actions_.settled, IsEmpty());
  Ready(1, {1, 2}, 2);
  Advance();
  Done(Take(), {0.9f});
  Done(Take(), {0.9f});
  EXPECT_THAT(actions_.settled, ElementsAre(key));
  EXPECT_EQ(scheduler_->statistics(1).samples_executed, 1u);
  EXPECT_EQ(scheduler_->statistics(1).samples_exited, 0u);
}

TEST_F(Speculation, CopiesThatNobodyExecutesAreDroppedAtTheDeadline) {
  plan_.options.cancel = CancelPolicy::kNever;
  Start();
  Ready(0, {0});
  const RequestKey key = Admit({0}, milliseconds(100));
  Advance();
  Done(Take(), {0.9f});
  EXPECT_THAT(actions_.settled, IsEmpty());
  EXPECT_LT(Advance(milliseconds(50)), TimePoint::max());
  Advance(milliseconds(50));
  EXPECT_THAT(actions_.settled, ElementsAre(key));
  EXPECT_THAT(actions_.completed, SizeIs(1));
  EXPECT_EQ(scheduler_->queued(1) + scheduler_->queued(2), 0);
}

TEST_F(Speculation, WithCancelNeverACancelledRequestIsDropped) {
  plan_.options.cancel = CancelPolicy::kNever;
  Start();
  const RequestKey key = Admit({0});
  scheduler_->Cancel(key, now_);
  EXPECT_THAT(actions_.settled, ElementsAre(key));
  for (int stage = 0; stage < 3; ++stage) EXPECT_EQ(scheduler_->queued(stage), 0);
}

TEST_F(Speculation, AFailureCountsOnlyWhenItsStageIsNeeded) {
  Start();
  const std::vector<Sent> sent = RunEverywhere(0);
  Result(sent[1], {0.f}, {1}, "boom");
  EXPECT_THAT(actions_.completed, IsEmpty());
  Done(sent[0], {0.9f});
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
}

TEST_F(Speculation, AFailureIsToldOnceAllEarlierStagesDeclined) {
  Start();
  const std::vector<Sent> sent = RunEverywhere(0);
  Result(sent[1], {0.f}, {1}, "boom");
  Done(sent[2], {0.9f});
  Done(sent[0], {0.1f});
  ASSERT_THAT(actions_.completed, SizeIs(1));
  EXPECT_EQ(LastCode(), OutcomeCode::kStageFailed);
  EXPECT_EQ(actions_.completed[0].outcome.stage, 1);
  EXPECT_EQ(actions_.completed[0].outcome.message, "boom");
  EXPECT_THAT(actions_.settled, SizeIs(1));
}

TEST_F(Speculation, OnlySamplesThatWouldHaveReachedAStageCount) {
  Start();
  std::vector<Sent> sent = RunEverywhere(0);
  Done(sent[1], {0.9f});
  EXPECT_EQ(scheduler_->statistics(1).exits.window.reached, 0u);
  Done(sent[0], {0.9f});
  Done(sent[2], {0.9f});
  EXPECT_EQ(scheduler_->statistics(0).exits.window.exited, 1u);
  EXPECT_EQ(scheduler_->statistics(1).exits.window.reached, 0u);
  sent = RunEverywhere(0);
  Done(sent[1], {0.9f});
  Done(sent[2], {0.9f});
  Done(sent[0], {0.1f});
  EXPECT_EQ(scheduler_->statistics(0).exits.window.reached, 2u);
  EXPECT_EQ(scheduler_->statistics(1).exits.window.reached, 1u);
  EXPECT_EQ(scheduler_->statistics(1).exits.window.exited, 1u);
  EXPECT_EQ(scheduler_->statistics(2).exits.window.reached, 0u);
}

TEST_F(Speculation, ASpeculatingStageWaitsForNewRequestsNotForTheStageBefore) {
  policy(1).max_delay = milliseconds(5);
  Start();
  Ready(1, {1});
  Admit({0});
  Advance();
  EXPECT_TRUE(NothingSent());
  Advance(milliseconds(5));
  EXPECT_EQ(Take().stage, 1);
}

TEST_F(Speculation, MayBeTurnedOffWithSamplesInside) {
  Start();
  Admit({0});
  policy(1).speculate = policy(2).speculate = false;
  Policies();
  Admit({1});
  EXPECT_EQ(scheduler_->queued(1), 1);
  Ready(0, {0, 1, 2});
  Advance();
  while (!NothingSent()) {
    const Sent sent = Take();
    Done(sent, std::vector<float>(sent.slots.size(), 0.1f));
  }
  EXPECT_THAT(actions_.completed, SizeIs(2));
  EXPECT_THAT(actions_.settled, SizeIs(2));
  EXPECT_EQ(scheduler_->statistics(1).samples_executed, 2u);
}

}  // namespace
}  // namespace escan
