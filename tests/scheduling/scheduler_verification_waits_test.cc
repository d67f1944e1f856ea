// Answers that are computed once more while others are served: when, and what ends it.
#include <gtest/gtest.h>

#include "scheduling/scheduler_verification_fixture.h"

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

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
