// Workers that end, hang, drain or answer nonsense.
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

class SchedulerFaults : public SchedulerTest {
 protected:
  void SetUp() override {
    Stages(2);
    Start();
  }
};

TEST_F(SchedulerFaults, RowsOfABlamelessWorkerGoBackInTheirOldOrder) {
  Ready(0, {0, 1});
  Admit({0, 1, 2, 3});
  Admit({4, 5});
  Advance();
  Take();
  scheduler_->WorkerGone(0, WorkerEnd::kBlameless, now_);
  EXPECT_EQ(scheduler_->queued(0), 6);
  EXPECT_EQ(scheduler_->in_flight(0), 0);
  Ready(1, {0, 1});
  Advance();
  EXPECT_THAT(Take().slots, ElementsAre(0u, 1u, 2u, 3u));
}

TEST_F(SchedulerFaults, RowsThatWereNeverSentHaveNoPartInTheirWorkersEnd) {
  Ready(0, {0, 1});
  Admit({0, 1});
  Advance();
  const Sent unsent = Take();
  scheduler_->WorkerDraining(0, now_);
  scheduler_->BatchUnsent(0, unsent.sequence, now_);
  EXPECT_EQ(scheduler_->queued(0), 2);
  scheduler_->WorkerGone(0, WorkerEnd::kSuspect, now_);
  Ready(1, {0, 1});
  Advance();
  EXPECT_THAT(Take().slots, ElementsAre(0u, 1u)) << "they are no suspects";
}

TEST_F(SchedulerFaults, OnlyTheFirstFailedRowOfABatchIsToldTheModelsWords) {
  Ready(0, {0, 1});
  Admit({0});
  Admit({1});
  Advance();
  Result(Take(), {0, 0}, {1, 1}, "row 0 is bad");
  ASSERT_EQ(actions_.completed.size(), 2u);
  EXPECT_EQ(actions_.completed[0].outcome.message, "row 0 is bad");
  EXPECT_EQ(actions_.completed[1].outcome.message, "the model failed on this row");
}

TEST_F(SchedulerFaults, RowsOfASuspectEndAreTriedOneByOne) {
  Ready(0, {0, 1}, 2);
  Admit({0, 1});
  Advance();
  Take();
  scheduler_->WorkerGone(0, WorkerEnd::kSuspect, now_);
  Ready(0, {0, 1}, 2);
  Admit({2});
  Advance();
  Sent sent = Take();
  EXPECT_THAT(sent.slots, ElementsAre(0u));
  EXPECT_TRUE(NothingSent()) << "the worker gets nothing else until it returns";
  Done(sent, {0.9f});
  sent = Take();
  EXPECT_THAT(sent.slots, ElementsAre(1u));
  EXPECT_TRUE(NothingSent());
  Done(sent, {0.9f});
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
  EXPECT_THAT(Take().slots, ElementsAre(2u));
}

TEST_F(SchedulerFaults, ASuspectWaitsForAWorkerThatHoldsNothing) {
  policy(0).max_batch = 1;
  Policies();
  Ready(0, {0, 1});
  Admit({0});
  Advance();
  Take();
  Ready(1, {0, 1}, 2);
  Admit({1, 2, 3, 4});
  Advance();
  const Sent first = Take();
  const Sent second = Take();
  scheduler_->WorkerGone(0, WorkerEnd::kSuspect, now_);
  Done(first, {0.9f});
  EXPECT_TRUE(NothingSent()) << "it gets nothing more while a suspect waits for it";
  Done(second, {0.9f});
  EXPECT_THAT(Take().slots, ElementsAre(0u));
}

TEST_F(SchedulerFaults, ARowThatEndsTwoWorkersFailsAlone) {
  Ready(0, {0, 1});
  Admit({0});
  const RequestKey bad = Admit({1, 2});
  Advance();
  Take();
  scheduler_->WorkerGone(0, WorkerEnd::kSuspect, now_);
  Ready(0, {0, 1});
  Advance();
  Done(Take(), {0.9f});
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
  Done(Take(), {0.9f});
  EXPECT_THAT(Take().slots, ElementsAre(2u));
  scheduler_->WorkerGone(0, WorkerEnd::kSuspect, now_);
  ASSERT_THAT(actions_.completed, SizeIs(2));
  EXPECT_EQ(actions_.completed[1].key, bad);
  const Outcome& outcome = actions_.completed[1].outcome;
  EXPECT_EQ(outcome.code, OutcomeCode::kWorkerKilled);
  EXPECT_EQ(outcome.stage, 0);
  EXPECT_EQ(outcome.row, 1);
  EXPECT_EQ(outcome.message, "the worker process ended twice while it held this row");
  EXPECT_THAT(actions_.settled, SizeIs(2));
  EXPECT_EQ(scheduler_->statistics(0).samples_failed, 1u);
}

TEST_F(SchedulerFaults, ASuspectThatReturnsIsCleared) {
  Ready(0, {0, 1});
  Admit({0, 1});
  Advance();
  Take();
  scheduler_->WorkerGone(0, WorkerEnd::kSuspect, now_);
  Ready(0, {0, 1});
  Advance();
  Done(Take(), {0.1f});
  Done(Take(), {0.1f});
  EXPECT_THAT(Take().slots, ElementsAre(0u, 1u)) << "together again at the next stage";
}

TEST_F(SchedulerFaults, ABlamelessEndDuringATrialTellsNothing) {
  Ready(0, {0, 1});
  Admit({0});
  Advance();
  Take();
  scheduler_->WorkerGone(0, WorkerEnd::kSuspect, now_);
  Ready(0, {0, 1});
  Advance();
  Take();
  scheduler_->WorkerGone(0, WorkerEnd::kBlameless, now_);
  EXPECT_THAT(actions_.completed, IsEmpty());
  Ready(0, {0, 1});
  Advance();
  Done(Take(), {0.9f});
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
}

TEST_F(SchedulerFaults, TooManyBlamelessEndsMakeASuspect) {
  Admit({0, 1});
  for (int i = 0; i < 9; ++i) {
    Ready(0, {0, 1});
    Advance();
    EXPECT_THAT(Take().slots, SizeIs(2)) << i;
    scheduler_->WorkerGone(0, WorkerEnd::kBlameless, now_);
  }
  Ready(0, {0, 1});
  Advance();
  EXPECT_THAT(Take().slots, ElementsAre(0u));
}

TEST_F(SchedulerFaults, RowsThatAreAnsweredOnlySettleWhenTheirWorkerEnds) {
  Ready(0, {0, 1});
  const RequestKey key = Admit({0});
  Advance();
  Take();
  scheduler_->Cancel(key, now_);
  scheduler_->WorkerGone(0, WorkerEnd::kSuspect, now_);
  EXPECT_THAT(actions_.settled, ElementsAre(key));
  Ready(0, {0, 1});
  Advance();
  EXPECT_TRUE(NothingSent());
}

TEST_F(SchedulerFaults, ASuspectOfACancelledRequestIsDropped) {
  Ready(0, {0, 1});
  const RequestKey key = Admit({0});
  Advance();
  Take();
  scheduler_->WorkerGone(0, WorkerEnd::kSuspect, now_);
  scheduler_->Cancel(key, now_);
  EXPECT_THAT(actions_.settled, ElementsAre(key));
  EXPECT_EQ(scheduler_->queued(0), 0);
  Ready(0, {0, 1});
  Advance();
  EXPECT_TRUE(NothingSent());
}

TEST_F(SchedulerFaults, ASuspectExpiresAtItsDeadline) {
  Ready(0, {0, 1});
  Admit({0}, milliseconds(50));
  Advance();
  Take();
  scheduler_->WorkerGone(0, WorkerEnd::kSuspect, now_);
  now_ = Advance();
  EXPECT_EQ(Advance(), TimePoint::max());
  EXPECT_EQ(LastCode(), OutcomeCode::kDeadlineExceeded);
  EXPECT_THAT(actions_.settled, SizeIs(1));
}

TEST_F(SchedulerFaults, OtherCopiesOfASuspectWaitApartToo) {
  policy(1).speculate = true;
  Policies();
  Ready(0, {0});
  Admit({0});
  Advance();
  Take();
  Admit({1});
  scheduler_->WorkerGone(0, WorkerEnd::kSuspect, now_);
  Ready(1, {1});
  Advance();
  EXPECT_THAT(Take().slots, ElementsAre(1u)) << "the suspect is tried at its first stage first";
  Ready(0, {0});
  Advance();
  Sent sent = Take();
  EXPECT_THAT(sent.slots, ElementsAre(0u));
  EXPECT_EQ(sent.stage, 0);
}

TEST_F(SchedulerFaults, ASuspectIsNotTriedWhileAWorkerHoldsACopyOfIt) {
  policy(1).speculate = true;
  Policies();
  Ready(0, {0});
  Ready(1, {1});
  Admit({0});
  Advance();
  Take();
  const Sent copy = Take();
  ASSERT_EQ(copy.stage, 1);
  scheduler_->WorkerGone(0, WorkerEnd::kSuspect, now_);
  Ready(0, {0});
  Advance();
  EXPECT_TRUE(NothingSent());
  Done(copy, {0.9f});
  EXPECT_EQ(Take().stage, 0);
}

TEST_F(SchedulerFaults, ASuspectCopyOfAnAnsweredSampleIsNotExecutedEvenWithCancelNever) {
  policy(1).speculate = true;
  plan_.options.cancel = CancelPolicy::kNever;
  Policies();
  Ready(0, {0});
  Ready(1, {1});
  Admit({0});
  Advance();
  const Sent sent = Take();
  Take();
  scheduler_->WorkerGone(1, WorkerEnd::kSuspect, now_);
  Ready(1, {1});
  Done(sent, {0.9f});
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
  EXPECT_THAT(actions_.settled, SizeIs(1));
  EXPECT_TRUE(NothingSent());
}

TEST_F(SchedulerFaults, AnswersThatDoNotFitAreRefused) {
  Ready(0, {0, 1});
  Ready(1, {0, 1});
  Admit({0, 1});
  Advance();
  const Sent sent = Take();
  Sent wrong = sent;
  wrong.worker = 1;
  EXPECT_FALSE(Done(wrong, {0.9f, 0.9f}));
  wrong = sent;
  wrong.worker = 17;
  EXPECT_FALSE(Done(wrong, {0.9f, 0.9f}));
  wrong = sent;
  ++wrong.sequence;
  EXPECT_FALSE(Done(wrong, {0.9f, 0.9f}));
  EXPECT_FALSE(Done(sent, {0.9f}));
  EXPECT_FALSE(Result(sent, {0.9f, 0.9f}, {0}));
  EXPECT_THAT(actions_.completed, IsEmpty());
  EXPECT_TRUE(Done(sent, {0.9f, 0.8f}));
  EXPECT_FALSE(Done(sent, {0.1f, 0.1f})) << "the first answer wins";
  EXPECT_THAT(actions_.completed, SizeIs(1));
  EXPECT_EQ(scheduler_->statistics(0).batches, 1u);
}

TEST_F(SchedulerFaults, AnAnswerAfterTheEndIsRefused) {
  Ready(0, {0, 1});
  Admit({0});
  Advance();
  const Sent sent = Take();
  scheduler_->WorkerGone(0, WorkerEnd::kBlameless, now_);
  Ready(0, {0, 1});
  Advance();
  EXPECT_FALSE(Done(sent, {0.9f}));
  EXPECT_TRUE(Done(Take(), {0.9f}));
}

TEST_F(SchedulerFaults, ADrainingWorkerFinishesWhatItHolds) {
  Ready(0, {0, 1});
  Admit({0});
  Advance();
  const Sent sent = Take();
  scheduler_->WorkerDraining(0, now_);
  EXPECT_FALSE(scheduler_->hosted(0));
  EXPECT_FALSE(scheduler_->idle(0));
  Admit({1});
  EXPECT_TRUE(Done(sent, {0.9f}));
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
  EXPECT_TRUE(scheduler_->idle(0));
  EXPECT_TRUE(NothingSent());
}

TEST_F(SchedulerFaults, AReadyWorkerReplacesItsPredecessor) {
  Ready(0, {0});
  Admit({0});
  Advance();
  Take();
  Ready(0, {0, 1}, 2);
  EXPECT_TRUE(scheduler_->hosted(1));
  EXPECT_TRUE(scheduler_->idle(0));
  Advance();
  EXPECT_THAT(Take().slots, ElementsAre(0u));
}

TEST_F(SchedulerFaults, EndsOfUnknownWorkersAreNoNews) {
  scheduler_->WorkerGone(9, WorkerEnd::kSuspect, now_);
  scheduler_->WorkerDraining(9, now_);
  EXPECT_TRUE(scheduler_->idle(9));
  EXPECT_EQ(scheduler_->HangDeadline(9), TimePoint::max());
  EXPECT_EQ(Advance(), TimePoint::max());
}

TEST_F(SchedulerFaults, AnUnmeasuredStepHangsAfterTenSeconds) {
  Ready(0, {0, 1});
  EXPECT_EQ(scheduler_->HangDeadline(0), TimePoint::max());
  Admit({0});
  Advance();
  EXPECT_EQ(scheduler_->HangDeadline(0), now_ + seconds(10));
}

TEST_F(SchedulerFaults, AMeasuredStepHangsAfterTenTimesItsTail) {
  MeasureOften(milliseconds(300));
  Admit({0});
  Advance();
  EXPECT_EQ(scheduler_->HangDeadline(0), now_ + seconds(3));
}

TEST_F(SchedulerFaults, AShortStepHangsAfterASecond) {
  MeasureOften(milliseconds(2));
  Admit({0});
  Advance();
  EXPECT_EQ(scheduler_->HangDeadline(0), now_ + seconds(1));
}

TEST_F(SchedulerFaults, FewStepsAreNoReasonToEndAWorkerEarly) {
  Measure(0, {0, 1}, 1, milliseconds(2));
  Admit({0});
  Advance();
  EXPECT_EQ(scheduler_->HangDeadline(0), now_ + seconds(10));
}

TEST_F(SchedulerFaults, AWorkerThatOthersDisturbHasLonger) {
  MeasureOften(milliseconds(2));
  Admit({0});
  Advance();
  EXPECT_EQ(scheduler_->HangDeadline(0, /*disturbed=*/true), now_ + seconds(10));
  EXPECT_EQ(scheduler_->HangDeadline(0), now_ + seconds(1));
}

TEST_F(SchedulerFaults, TheSecondBatchOfAWorkerStartsWithTheEndOfTheFirst) {
  policy(0).max_batch = 1;
  Policies();
  MeasureOften(milliseconds(2));
  Ready(0, {0, 1}, 2);
  Admit({0, 1}, seconds(20));
  Advance();
  const Sent first = Take();
  Take();
  const TimePoint dispatched = now_;
  now_ += milliseconds(700);
  EXPECT_EQ(scheduler_->HangDeadline(0), dispatched + seconds(1));
  Result(first, {0.9f}, {0});
  EXPECT_GE(scheduler_->HangDeadline(0), now_ + seconds(1));
}

}  // namespace
}  // namespace escan
