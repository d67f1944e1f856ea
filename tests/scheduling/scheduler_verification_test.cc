// Answers that are computed once more while others are served.
#include <gtest/gtest.h>

#include <algorithm>

#include "scheduling/scheduler_harness.h"

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// One stage with the buckets 1, 4 and 16; every batch that finds none under way is to be checked.
class SchedulerVerification : public SchedulerTest {
 protected:
  void SetUp() override {
    Stages(1);
    Start({.verify_every = 1});
  }

  // A request that one worker has answered, at once.
  Sent Answered(const std::vector<SlotId>& slots) {
    Admit(slots);
    Advance();
    const Sent sent = Take();
    EXPECT_FALSE(sent.compares());
    EXPECT_TRUE(Done(sent, std::vector<float>(slots.size(), 0.9f)));
    return sent;
  }

  // The next batch, which must be one to compare.
  Sent TakeCheck() {
    const Sent sent = Take();
    EXPECT_TRUE(sent.compares());
    return sent;
  }

  // What a worker says of a batch to compare: all rows are equal, or differ.
  bool Says(const Sent& check, bool differs) {
    return Says(check, std::vector<uint8_t>(check.slots.size(), differs ? 1 : 0));
  }
  bool Says(const Sent& check, const std::vector<uint8_t>& differs,
            const std::vector<uint8_t>& failed = {}) {
    const std::vector<float> scores(check.slots.size(), 0.9f);
    const std::vector<uint8_t> none(check.slots.size());
    const bool accepted = scheduler_->BatchDone(check.worker,
                                                {.sequence = check.sequence,
                                                 .scores = scores,
                                                 .exits = none,
                                                 .failed = failed.empty() ? none : failed,
                                                 .differs = differs,
                                                 .message = "row 1: 'p'[0] is 1 where 2 is right",
                                                 .execute_time = milliseconds(1)},
                                                now_);
    Advance();
    return accepted;
  }

  const Comparison& Last() { return actions_.compared.back(); }
  size_t settled() const { return actions_.settled.size(); }
};

TEST_F(SchedulerVerification, AnswersAtOnceAndHoldsTheSlotsUntilAnotherWorkerHasCompared) {
  Ready(0, {0});
  Ready(1, {0});
  const Sent answered = Answered({0, 1, 2});
  ASSERT_EQ(answered.worker, 0);
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
  EXPECT_EQ(settled(), 0u) << "its outputs are still to be compared with";
  const Sent check = TakeCheck();
  EXPECT_EQ(check.worker, 1);
  EXPECT_TRUE(Says(check, false));
  EXPECT_EQ(settled(), 1u);
  ASSERT_EQ(actions_.compared.size(), 1u);
  EXPECT_EQ(Last().answered, 0);
  EXPECT_EQ(Last().compared, 1);
  EXPECT_EQ(Last().wrong, -1);
  EXPECT_EQ(Last().differ, 0);
}

TEST_F(SchedulerVerification, ComputesInTheNextSmallerBucketWhatFillsIt) {
  policy(0).max_batch = 16;
  Policies();
  Ready(0, {0});
  Ready(1, {0});
  Answered({0, 1, 2, 3, 4, 5});  // in the bucket of 16
  const Sent check = TakeCheck();
  EXPECT_EQ(check.slots, (std::vector<SlotId>{0, 1, 2, 3}));
  Says(check, false);
  EXPECT_EQ(Last().rows, 4);
}

TEST_F(SchedulerVerification, RepeatsRowsToFillALargerBucketWhereThereIsNoSmallerOne) {
  Ready(0, {0});
  Answered({7});
  const Sent check = TakeCheck();
  EXPECT_EQ(check.slots, (std::vector<SlotId>{7, 7, 7, 7}));
  Says(check, false);
  EXPECT_EQ(Last().rows, 1);
}

TEST_F(SchedulerVerification, AskedOfOneWorkerAloneItContradictsItself) {
  Ready(0, {0});
  Answered({0, 1});
  const Sent check = TakeCheck();
  EXPECT_EQ(check.worker, 0);
  Says(check, true);
  EXPECT_EQ(Last().wrong, 0);
  EXPECT_EQ(Last().differ, 1);
  EXPECT_EQ(Last().unverified, 2u);
  EXPECT_EQ(actions_.messages.back(), "row 1: 'p'[0] is 1 where 2 is right");
  EXPECT_EQ(scheduler_->statistics(0).answers_wrong, 1u);
  EXPECT_EQ(scheduler_->statistics(0).answers_doubtful, 0u);
  EXPECT_EQ(settled(), 1u);
}

TEST_F(SchedulerVerification, AThirdWorkerDecidesAgainstTheOneThatAnswered) {
  for (const int id : {0, 1, 2}) Ready(id, {0});
  Answered({0, 1, 2, 3});
  Says(TakeCheck(), true);
  EXPECT_TRUE(actions_.compared.empty());
  EXPECT_EQ(settled(), 0u);
  const Sent second = TakeCheck();
  EXPECT_EQ(second.worker, 2);
  Says(second, true);
  EXPECT_EQ(Last().wrong, 0);
  EXPECT_EQ(Last().compared, 1);
  EXPECT_EQ(settled(), 1u);
}

TEST_F(SchedulerVerification, AThirdWorkerDecidesAgainstTheOneThatCompared) {
  for (const int id : {0, 1, 2}) Ready(id, {0});
  Answered({0, 1, 2, 3});
  Says(TakeCheck(), true);
  Says(TakeCheck(), false);
  EXPECT_EQ(Last().wrong, 1);
}

TEST_F(SchedulerVerification, ComputesOnlyTheRowsThatDifferAgain) {
  policy(0).max_batch = 16;
  Policies();
  for (const int id : {0, 1, 2}) Ready(id, {0});
  const RequestKey first = Admit({0, 1});
  Admit({2, 3});
  Advance();
  Done(Take(), {0.9f, 0.9f, 0.9f, 0.9f});
  // In the bucket of 1, after one of 4.
  const Sent check = TakeCheck();
  EXPECT_EQ(check.slots, std::vector<SlotId>{0});
  EXPECT_EQ(settled(), 1u) << "of the others nothing is held";
  Says(check, true);
  const Sent second = TakeCheck();
  EXPECT_EQ(second.slots, std::vector<SlotId>(16, 0)) << "in one more bucket";
  Says(second, true);
  EXPECT_EQ(Last().differ, 1);
  EXPECT_EQ(settled(), 2u);
  EXPECT_EQ(actions_.settled.back(), first);
}

TEST_F(SchedulerVerification, LetsGoOfRowsThatDoNotDiffer) {
  policy(0).max_batch = 16;
  Policies();
  for (const int id : {0, 1, 2}) Ready(id, {0});
  const RequestKey right = Admit({0, 1});
  Admit({2, 3, 4});
  Advance();
  Done(Take(), {0.9f, 0.9f, 0.9f, 0.9f, 0.9f});
  Says(TakeCheck(), {0, 0, 1, 0});
  ASSERT_EQ(settled(), 1u);
  EXPECT_EQ(actions_.settled[0], right);
  const Sent second = TakeCheck();
  EXPECT_EQ(second.slots, std::vector<SlotId>{2});
}

TEST_F(SchedulerVerification, OfTwoWorkersTheOneThatContradictsItselfWasWrong) {
  Ready(0, {0});
  Ready(1, {0});
  Answered({0, 1, 2, 3});
  Says(TakeCheck(), true);
  const Sent again = TakeCheck();
  EXPECT_EQ(again.worker, 0);
  Says(again, true);
  EXPECT_EQ(Last().wrong, 0);

  Answered({4, 5, 6, 7});
  Says(TakeCheck(), true);
  Says(TakeCheck(), false);
  const Sent once_more = TakeCheck();
  EXPECT_EQ(once_more.worker, 1);
  Says(once_more, false);
  EXPECT_EQ(Last().wrong, 1);
}

TEST_F(SchedulerVerification, OfTwoWorkersThatBothInsistNobodyIsBlamed) {
  Ready(0, {0});
  Ready(1, {0});
  Answered({0, 1, 2, 3});
  Says(TakeCheck(), true);
  Says(TakeCheck(), false);
  Says(TakeCheck(), true);
  EXPECT_EQ(Last().wrong, -1);
  EXPECT_EQ(Last().differ, 1);
  EXPECT_EQ(scheduler_->statistics(0).answers_doubtful, 1u);
  EXPECT_EQ(settled(), 1u);
}

TEST_F(SchedulerVerification, TellsHowManySamplesWereAnsweredSinceTheWorkerWasRight) {
  Ready(0, {0});
  Answered({0, 1});
  Says(TakeCheck(), false);
  // While the next check is under way nothing new is checked.
  Answered({2, 3, 4});
  const Sent check = TakeCheck();
  Says(check, true);
  EXPECT_EQ(Last().unverified, 3u);
  Ready(0, {0});  // another process
  Answered({5});
  Says(TakeCheck(), true);
  EXPECT_EQ(Last().unverified, 1u);
}

TEST_F(SchedulerVerification, WaitsForAWorkerThatHasNothingElse) {
  Ready(0, {0});
  Admit({0, 1, 2, 3});
  Admit({4, 5, 6, 7});
  Advance();
  Done(Take(), {0.9f, 0.9f, 0.9f, 0.9f});
  const Sent next = Take();
  EXPECT_FALSE(next.compares());
  EXPECT_EQ(settled(), 0u);
  Done(next, {0.9f, 0.9f, 0.9f, 0.9f});
  EXPECT_TRUE(TakeCheck().slots == std::vector<SlotId>{0});
}

TEST_F(SchedulerVerification, IsGivenUpWhenNoWorkerIsFreeForASecond) {
  policy(0).max_delay = seconds(30);
  Policies();
  Ready(0, {0});
  Admit({0, 1, 2, 3}, seconds(60));
  Admit({4}, seconds(60));  // waits for more
  Advance();
  Done(Take(), {0.9f, 0.9f, 0.9f, 0.9f});
  EXPECT_TRUE(NothingSent());
  const TimePoint next = Advance(milliseconds(999));
  EXPECT_EQ(next, now_ + milliseconds(1));
  EXPECT_EQ(settled(), 0u);
  Advance(milliseconds(1));
  EXPECT_EQ(settled(), 1u);
  EXPECT_TRUE(actions_.compared.empty());
}

TEST_F(SchedulerVerification, IsGivenUpWhenSlotsRunShort) {
  Stages(1, /*slots=*/16);
  Start({.verify_every = 1});
  policy(0).max_delay = seconds(30);
  Policies();
  Ready(0, {0});
  Admit({0, 1, 2, 3}, seconds(60));
  Admit({4}, seconds(60));
  Advance();
  Done(Take(), {0.9f, 0.9f, 0.9f, 0.9f});
  EXPECT_EQ(settled(), 0u);
  Admit({5, 6}, seconds(60));
  Advance();
  EXPECT_EQ(settled(), 0u);
  policy(0).max_batch = 16;
  Policies();
  Admit({7, 8, 9, 10, 11, 12}, seconds(60));
  Advance();
  EXPECT_EQ(settled(), 1u);
}

TEST_F(SchedulerVerification, ChecksABatchAfterSoManySamplesOfAStage) {
  Start({.verify_every = 6});
  Ready(0, {0});
  Answered({0, 1, 2, 3});
  EXPECT_TRUE(NothingSent());
  Answered({4, 5});
  Says(TakeCheck(), false);
  Answered({6, 7, 8, 9});
  EXPECT_TRUE(NothingSent());
}

TEST_F(SchedulerVerification, IsOffWithoutANumber) {
  Start({});
  Ready(0, {0});
  Ready(1, {0});
  Answered({0, 1, 2, 3});
  EXPECT_TRUE(NothingSent());
  EXPECT_EQ(settled(), 1u);
}

TEST_F(SchedulerVerification, LeavesOutAStageWhoseAnswersCannotBeRepeated) {
  Start({.verify_every = 1});
  Ready(0, {0});
  Ready(1, {0});
  scheduler_->ExemptFromVerification(0);
  Answered({0, 1, 2, 3});
  EXPECT_TRUE(NothingSent());
  EXPECT_EQ(settled(), 1u);
}

TEST_F(SchedulerVerification, DoesNotCountAsABatch) {
  Ready(0, {0});
  Answered({0, 1});
  now_ += seconds(3);
  Says(TakeCheck(), false);
  const StageStatistics& statistics = scheduler_->statistics(0);
  EXPECT_EQ(statistics.samples_executed, 2u);
  EXPECT_EQ(statistics.samples_exited, 2u);
  EXPECT_EQ(statistics.batches, 1u);
  EXPECT_EQ(statistics.exits.window.reached, 2u);
  EXPECT_DOUBLE_EQ(statistics.step_time.sum, 0);
  EXPECT_EQ(statistics.answers_checked, 1u);
  EXPECT_EQ(statistics.answers_wrong, 0u);
  EXPECT_EQ(scheduler_->in_flight(0), 0);
}

TEST_F(SchedulerVerification, FailedRowsAreNeitherCheckedNorBelieved) {
  Ready(0, {0});
  Admit({0});
  Admit({1});
  Advance();
  const Sent sent = Take();
  ASSERT_EQ(sent.slots.size(), 2u);
  Result(sent, {kNan, 0.9f}, {1, 0}, "threw");
  Advance();
  const Sent check = TakeCheck();
  EXPECT_EQ(check.slots, std::vector<SlotId>{1});
  Says(check, {1}, {1});
  EXPECT_TRUE(actions_.compared.empty()) << "nothing was computed";
  EXPECT_EQ(settled(), 2u);
}

TEST_F(SchedulerVerification, ARequestThatGoesOnIsHeldUntilBothAreThrough) {
  Stages(2);
  Start({.verify_every = 1});
  Ready(0, {0});
  Ready(1, {1});
  Admit({0});
  Advance();
  Done(Take(), {0.1f});
  const Sent next = Take();
  EXPECT_EQ(next.stage, 1);
  const Sent check = TakeCheck();
  EXPECT_EQ(check.stage, 0);
  Done(next, {0.9f});
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
  EXPECT_EQ(settled(), 0u);
  Says(check, false);
  EXPECT_EQ(settled(), 1u);
}

TEST_F(SchedulerVerification, ACancelledRequestIsHeldWhileAWorkerComparesIt) {
  Stages(2);
  Start({.verify_every = 1});
  Ready(0, {0});
  const RequestKey key = Admit({0});
  Advance();
  Done(Take(), {0.1f});
  const Sent check = TakeCheck();
  scheduler_->Cancel(key, now_);
  EXPECT_EQ(LastCode(), OutcomeCode::kCancelled);
  EXPECT_EQ(settled(), 0u);
  Says(check, false);
  EXPECT_EQ(settled(), 1u);
}

TEST_F(SchedulerVerification, EndsWithTheWorkerThatCompares) {
  Ready(0, {0});
  Ready(1, {0});
  Answered({0, 1});
  const Sent check = TakeCheck();
  scheduler_->WorkerGone(check.worker, WorkerEnd::kSuspect, now_);
  EXPECT_EQ(settled(), 1u);
  Advance();
  EXPECT_TRUE(NothingSent()) << "what was answered is not computed again";
  EXPECT_TRUE(actions_.compared.empty());
}

TEST_F(SchedulerVerification, TheWorkerThatAnsweredIsNotBlamedOnceItIsGone) {
  Ready(0, {0});
  Ready(1, {0});
  Answered({0, 1});
  const Sent check = TakeCheck();
  scheduler_->WorkerGone(0, WorkerEnd::kBlameless, now_);
  Ready(0, {0});
  EXPECT_EQ(settled(), 0u);
  Says(check, true);
  EXPECT_TRUE(actions_.compared.empty());
  EXPECT_EQ(settled(), 1u);
}

TEST_F(SchedulerVerification, AWorkerThatComparesIsNotIdle) {
  Ready(0, {0});
  Answered({0});
  const Sent check = TakeCheck();
  EXPECT_FALSE(scheduler_->idle(0));
  EXPECT_LT(scheduler_->HangDeadline(0), TimePoint::max());
  Says(check, false);
  EXPECT_TRUE(scheduler_->idle(0));
}

TEST_F(SchedulerVerification, WhatWaitsIsGivenUpAtAShutdown) {
  policy(0).max_delay = seconds(30);
  Policies();
  Ready(0, {0});
  Admit({0, 1, 2, 3}, seconds(60));
  Admit({4}, seconds(60));
  Advance();
  Done(Take(), {0.9f, 0.9f, 0.9f, 0.9f});
  scheduler_->FailAll(now_);
  EXPECT_EQ(settled(), 2u);
}

TEST_F(SchedulerVerification, AnswersThatWereNotAskedForAreRefused) {
  Ready(0, {0});
  Admit({0});
  Advance();
  const Sent sent = Take();
  EXPECT_FALSE(Says(sent, true)) << "there is nothing yet to differ from";
  EXPECT_TRUE(Done(sent, {0.9f}));
  const Sent check = TakeCheck();
  EXPECT_FALSE(Done(check, {0.9f, 0.9f, 0.9f, 0.9f})) << "it does not say whether they differ";
  EXPECT_TRUE(Says(check, false));
}

TEST_F(SchedulerVerification, KeepsOutOfTheWayOfSuspects) {
  Ready(0, {0}, /*credits=*/1, /*fault_domain=*/0);
  Answered({0});
  const Sent check = TakeCheck();
  Admit({1});
  Ready(1, {0}, /*credits=*/1, /*fault_domain=*/0);
  Advance();
  const Sent crashing = Take();
  ASSERT_EQ(crashing.worker, 1);
  scheduler_->WorkerGone(1, WorkerEnd::kSuspect, now_);
  Advance();
  EXPECT_TRUE(NothingSent()) << "the device is not the suspect's alone";
  Says(check, false);
  const Sent trial = Take();
  EXPECT_FALSE(trial.compares());
  EXPECT_EQ(trial.slots, std::vector<SlotId>{1});
}

}  // namespace
}  // namespace escan
