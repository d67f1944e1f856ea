// Requests: answers, deadlines, cancellation, and when a request is settled.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduling/scheduler_harness.h"

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SchedulerRequests : public SchedulerTest {
 protected:
  void SetUp() override {
    Stages(3);
    Start();
  }
};

TEST_F(SchedulerRequests, ASampleLeavesAtTheFirstStageThatPasses) {
  Ready(0, {0, 1, 2});
  const RequestKey key = Admit({3, 5});
  Advance();
  EXPECT_EQ(scheduler_->requests(), 1);
  Sent sent = Take();
  EXPECT_EQ(sent.stage, 0);
  EXPECT_THAT(sent.slots, ElementsAre(3u, 5u));
  EXPECT_TRUE(Done(sent, {0.9f, 0.1f}));
  EXPECT_THAT(actions_.completed, IsEmpty());
  sent = Take();
  EXPECT_EQ(sent.stage, 1);
  EXPECT_THAT(sent.slots, ElementsAre(5u));
  Done(sent, {0.7f});
  ASSERT_THAT(actions_.completed, SizeIs(1));
  EXPECT_EQ(actions_.completed[0].key, key);
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
  EXPECT_EQ(scheduler_->answer(3).stage, 0);
  EXPECT_FLOAT_EQ(scheduler_->answer(3).score, 0.9f);
  EXPECT_EQ(scheduler_->answer(5).stage, 1);
  EXPECT_FLOAT_EQ(scheduler_->answer(5).score, 0.7f);
  EXPECT_THAT(actions_.settled, ElementsAre(key));
  EXPECT_EQ(scheduler_->requests(), 0);
}

TEST_F(SchedulerRequests, TheLastStageAlwaysAnswers) {
  Ready(0, {0, 1, 2});
  Admit({0});
  Advance();
  Done(Take(), {0.1f});
  Done(Take(), {0.2f});
  Done(Take(), {0.3f});
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
  EXPECT_EQ(scheduler_->answer(0).stage, 2);
  EXPECT_FLOAT_EQ(scheduler_->answer(0).score, 0.3f);
}

TEST_F(SchedulerRequests, NanNeverLeavesEvenIfTheWorkerSaysSo) {
  Ready(0, {0, 1, 2});
  Admit({0});
  Advance();
  const Sent sent = Take();
  const std::vector<float> scores = {kNan};
  const std::vector<uint8_t> yes = {1};
  const std::vector<uint8_t> no = {0};
  EXPECT_TRUE(scheduler_->BatchDone(0,
                                    {.sequence = sent.sequence,
                                     .scores = scores,
                                     .exits = yes,
                                     .failed = no,
                                     .message = {},
                                     .execute_time = {}},
                                    now_));
  EXPECT_THAT(actions_.completed, IsEmpty());
  EXPECT_EQ(scheduler_->queued(1), 1);
}

TEST_F(SchedulerRequests, PastItsDeadlineAtAdmissionIsAnsweredAtOnce) {
  const RequestKey key = Admit({0, 1}, Duration::zero());
  EXPECT_EQ(LastCode(), OutcomeCode::kDeadlineExceeded);
  EXPECT_THAT(actions_.settled, ElementsAre(key));
  EXPECT_EQ(scheduler_->requests(), 0);
  EXPECT_EQ(scheduler_->queued(0), 0);
}

TEST_F(SchedulerRequests, OneThatCannotMakeItIsRefusedAtAdmission) {
  Measure(0, {0, 1, 2}, 1, milliseconds(20));
  Admit({0}, milliseconds(19));
  EXPECT_EQ(LastCode(), OutcomeCode::kDeadlineExceeded);
  Admit({1}, milliseconds(20));
  EXPECT_THAT(actions_.completed, SizeIs(1));
}

TEST_F(SchedulerRequests, AStepTimeOfLongAgoRefusesNobody) {
  Measure(0, {0, 1, 2}, 1, seconds(30));
  Advance(seconds(2));
  Admit({0}, milliseconds(10));
  EXPECT_THAT(actions_.completed, IsEmpty());
}

TEST_F(SchedulerRequests, ADeadlineAnswersByTimerAndTheRowsAreNeverExecuted) {
  const RequestKey key = Admit({0, 1}, milliseconds(10));
  const TimePoint next = Advance();
  EXPECT_GE(next, now_ + milliseconds(10));
  EXPECT_LE(next, now_ + milliseconds(12));
  now_ = next;
  EXPECT_EQ(Advance(), TimePoint::max());
  EXPECT_EQ(LastCode(), OutcomeCode::kDeadlineExceeded);
  EXPECT_THAT(actions_.settled, ElementsAre(key));
  Ready(0, {0, 1, 2});
  Advance();
  EXPECT_TRUE(NothingSent());
}

TEST_F(SchedulerRequests, ARunningRowIsAnsweredAtItsDeadlineAndSettlesWithItsBatch) {
  Ready(0, {0, 1, 2});
  const RequestKey key = Admit({0}, milliseconds(10));
  Advance();
  const Sent sent = Take();
  Advance(milliseconds(10));
  EXPECT_EQ(LastCode(), OutcomeCode::kDeadlineExceeded);
  EXPECT_THAT(actions_.settled, IsEmpty());
  EXPECT_EQ(scheduler_->in_flight(0), 1);
  EXPECT_TRUE(Done(sent, {0.1f}));
  EXPECT_THAT(actions_.completed, SizeIs(1));
  EXPECT_THAT(actions_.settled, ElementsAre(key));
  EXPECT_TRUE(NothingSent());
}

TEST_F(SchedulerRequests, CancellingDropsWhatWaits) {
  Ready(0, {0, 1, 2});
  const RequestKey key = Admit({0, 1, 2, 3, 4, 5});
  Advance();
  const Sent sent = Take();
  EXPECT_EQ(scheduler_->queued(0), 2);
  scheduler_->Cancel(key, now_);
  EXPECT_EQ(LastCode(), OutcomeCode::kCancelled);
  EXPECT_EQ(scheduler_->queued(0), 0);
  EXPECT_THAT(actions_.settled, IsEmpty());
  Done(sent, {0.f, 0.f, 0.f, 0.f});
  EXPECT_THAT(actions_.settled, ElementsAre(key));
  EXPECT_TRUE(NothingSent());
}

TEST_F(SchedulerRequests, CancellingOneThatIsOverDoesNothing) {
  Ready(0, {0, 1, 2});
  const RequestKey old = Admit({0});
  Advance();
  Done(Take(), {0.9f});
  const RequestKey fresh = Admit({0});
  scheduler_->Cancel(old, now_);
  scheduler_->Cancel({kNoSlot, 1}, now_);
  EXPECT_THAT(actions_.completed, SizeIs(1));
  scheduler_->Cancel(fresh, now_);
  EXPECT_THAT(actions_.completed, SizeIs(2));
}

TEST_F(SchedulerRequests, AFailingRowFailsItsRequestAlone) {
  Ready(0, {0, 1, 2});
  const RequestKey bad = Admit({0, 1});
  const RequestKey good = Admit({2});
  Advance();
  const Sent sent = Take();
  ASSERT_THAT(sent.slots, ElementsAre(0u, 1u, 2u));
  EXPECT_TRUE(Result(sent, {0.1f, 0.f, 0.9f}, {0, 1, 0}, "division by zero"));
  ASSERT_THAT(actions_.completed, SizeIs(2));
  EXPECT_EQ(actions_.completed[0].key, bad);
  const Outcome& outcome = actions_.completed[0].outcome;
  EXPECT_EQ(outcome.code, OutcomeCode::kStageFailed);
  EXPECT_EQ(outcome.stage, 0);
  EXPECT_EQ(outcome.row, 1);
  EXPECT_EQ(outcome.message, "division by zero");
  EXPECT_EQ(actions_.completed[1].key, good);
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
  EXPECT_THAT(actions_.settled, ElementsAre(bad, good));
  EXPECT_EQ(scheduler_->queued(1), 0);
  EXPECT_EQ(scheduler_->statistics(0).samples_failed, 1u);
}

TEST_F(SchedulerRequests, FailAllAnswersEverything) {
  Ready(0, {0, 1, 2});
  Admit({0, 1, 2, 3});
  Advance();
  const RequestKey waiting = Admit({4});
  const Sent sent = Take();
  scheduler_->FailAll(now_);
  EXPECT_THAT(actions_.completed, SizeIs(2));
  EXPECT_EQ(LastCode(), OutcomeCode::kUnavailable);
  EXPECT_THAT(actions_.settled, ElementsAre(waiting));
  Done(sent, {0.f, 0.f, 0.f, 0.f});
  EXPECT_THAT(actions_.settled, SizeIs(2));
  EXPECT_EQ(scheduler_->requests(), 0);
}

TEST_F(SchedulerRequests, AtRestNothingIsDue) {
  Ready(0, {0, 1, 2});
  EXPECT_EQ(Advance(), TimePoint::max());
  Admit({0});
  EXPECT_LT(Advance(), TimePoint::max());
  Done(Take(), {0.9f});
  EXPECT_EQ(Advance(), TimePoint::max());
}

}  // namespace
}  // namespace escan
