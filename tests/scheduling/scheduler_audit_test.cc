// Samples that exited early and also run through the last stage.
#include <gtest/gtest.h>

#include "scheduling/scheduler_harness.h"

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SchedulerAudit : public SchedulerTest {
 protected:
  void SetUp() override { Stages(3); }

  void Serve(int every) {
    Start({.audit_every = every});
    for (const int id : {0, 1, 2}) Ready(id, {id});
  }

  // A sample that the first stage answers at once.
  void ExitAtFirst(SlotId slot) {
    Admit({slot});
    Advance();
    const Sent sent = Take();
    EXPECT_EQ(sent.stage, 0);
    EXPECT_TRUE(Done(sent, {0.9f}));
  }

  size_t settled() const { return actions_.settled.size(); }
};

TEST_F(SchedulerAudit, AnswersAtOnceAndRunsTheSampleThroughTheLastStageToo) {
  Serve(1);
  ExitAtFirst(7);
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
  EXPECT_EQ(scheduler_->answer(7).stage, 0);
  EXPECT_EQ(settled(), 0u) << "its outputs are still to be compared";
  const Sent audit = Take();
  EXPECT_EQ(audit.stage, 2);
  EXPECT_EQ(audit.purpose, BatchPurpose::kServe) << "its outputs are to be written";
  EXPECT_EQ(audit.slots, std::vector<SlotId>{7});
  EXPECT_TRUE(Done(audit, {0.2f}));
  ASSERT_EQ(actions_.audited.size(), 1u);
  EXPECT_EQ(actions_.audited[0].slot, 7u);
  EXPECT_EQ(actions_.audited[0].stage, 0);
  EXPECT_EQ(settled(), 1u);
  EXPECT_EQ(scheduler_->answer(7).stage, 0) << "the answer stays what it was";
}

TEST_F(SchedulerAudit, IsInNoStatistic) {
  Serve(1);
  ExitAtFirst(7);
  Done(Take(), {0.2f});
  EXPECT_EQ(scheduler_->statistics(2).samples_executed, 0u);
  EXPECT_EQ(scheduler_->statistics(2).samples_exited, 0u);
  EXPECT_EQ(scheduler_->statistics(0).samples_exited, 1u);
}

TEST_F(SchedulerAudit, TakesOneOfSoManyThatExitAtTheStage) {
  Serve(3);
  for (int i = 0; i < 9; ++i) {
    ExitAtFirst(7);
    const bool audited = !NothingSent();
    EXPECT_EQ(audited, i % 3 == 2) << i;
    if (audited) Done(Take(), {0.2f});
  }
  EXPECT_EQ(actions_.audited.size(), 3u);
}

TEST_F(SchedulerAudit, LeavesSamplesOfTheLastStageAlone) {
  Serve(1);
  Admit({3});
  Advance();
  Done(Take(), {0.1f});
  Done(Take(), {0.1f});
  Done(Take(), {0.9f});
  EXPECT_TRUE(NothingSent());
  EXPECT_EQ(settled(), 1u);
}

TEST_F(SchedulerAudit, RunsStagesInBetweenWhoseOutputsTheLastOneReads) {
  cascade_.stages[2].inputs = {{.stage = 1, .tensor = 0}};
  Serve(1);
  ExitAtFirst(7);
  const Sent between = Take();
  EXPECT_EQ(between.stage, 1);
  Done(between, {0.9f});
  EXPECT_TRUE(actions_.audited.empty());
  const Sent last = Take();
  EXPECT_EQ(last.stage, 2);
  Done(last, {0.9f});
  EXPECT_EQ(actions_.audited.size(), 1u);
}

TEST_F(SchedulerAudit, WaitsForAWorkerThatHasNothingElseToDo) {
  Serve(1);
  Admit({1});
  Advance();
  Done(Take(), {0.1f});
  Done(Take(), {0.1f});
  const Sent live = Take();
  ASSERT_EQ(live.stage, 2);
  ExitAtFirst(7);
  EXPECT_TRUE(NothingSent()) << "the worker of the last stage is busy";
  Done(live, {0.9f});
  const Sent audit = Take();
  EXPECT_EQ(audit.slots, std::vector<SlotId>{7});
}

TEST_F(SchedulerAudit, GoesAfterLiveSamples) {
  Start({.audit_every = 1});
  Ready(0, {0, 1, 2});
  Admit({1});
  Admit({2});
  Advance();
  Done(Take(), {0.9f, 0.1f});  // the first exits, the second goes on
  for (const int stage : {1, 2}) {
    const Sent live = Take();
    EXPECT_EQ(live.stage, stage);
    EXPECT_EQ(live.slots, std::vector<SlotId>{2});
    Done(live, {0.1f});
  }
  EXPECT_EQ(Take().slots, std::vector<SlotId>{1});
}

TEST_F(SchedulerAudit, IsGivenUpAfterASecond) {
  Start({.audit_every = 1});
  Ready(0, {0});
  ExitAtFirst(7);
  EXPECT_EQ(settled(), 0u);
  Advance(milliseconds(999));
  EXPECT_EQ(settled(), 0u);
  Advance(milliseconds(1));
  EXPECT_EQ(settled(), 1u);
  EXPECT_TRUE(actions_.audited.empty());
}

TEST_F(SchedulerAudit, IsGivenUpWhileSlotsRunShort) {
  Start({.audit_every = 1});
  Ready(0, {0});
  ExitAtFirst(63);
  for (SlotId slot = 0; slot < 49; ++slot) Admit({slot});
  Advance();
  EXPECT_EQ(settled(), 1u);
}

TEST_F(SchedulerAudit, ASampleThatEndsTheWorkerIsForgotten) {
  Serve(1);
  ExitAtFirst(7);
  const Sent audit = Take();
  scheduler_->WorkerGone(audit.worker, WorkerEnd::kSuspect, now_);
  Advance();
  EXPECT_EQ(settled(), 1u);
  EXPECT_TRUE(actions_.audited.empty());
  EXPECT_TRUE(NothingSent());
}

TEST_F(SchedulerAudit, ASampleThatTheLastStageFailsOnIsNoDisagreement) {
  Serve(1);
  ExitAtFirst(7);
  Result(Take(), {kNan}, {1}, "bad row");
  Advance();
  EXPECT_TRUE(actions_.audited.empty());
  EXPECT_EQ(settled(), 1u);
  EXPECT_EQ(scheduler_->statistics(2).samples_failed, 0u);
}

TEST_F(SchedulerAudit, LeavesASampleAloneThatTheLastStageHasBegun) {
  policy(1).speculate = true;
  policy(2).speculate = true;
  Serve(1);
  Admit({7});
  Advance();
  for (int i = 0; i < 3; ++i) Done(Take(), {0.9f});
  EXPECT_TRUE(NothingSent());
  EXPECT_EQ(settled(), 1u);
}

TEST_F(SchedulerAudit, SharesASlotWithACheckOfItsAnswer) {
  Start({.verify_every = 1, .audit_every = 1});
  Ready(0, {0});
  Ready(1, {0});
  Ready(2, {2});
  ExitAtFirst(7);
  const Sent check = Take();
  ASSERT_TRUE(check.compares());
  const Sent audit = Take();
  ASSERT_EQ(audit.stage, 2);
  Done(audit, {0.9f});
  EXPECT_EQ(actions_.audited.size(), 1u);
  EXPECT_EQ(settled(), 0u) << "the check holds it still";
  const std::vector<float> scores(check.slots.size(), 0.9f);
  const std::vector<uint8_t> none(check.slots.size());
  scheduler_->BatchDone(check.worker,
                        {.sequence = check.sequence,
                         .scores = scores,
                         .exits = none,
                         .failed = none,
                         .differs = none},
                        now_);
  Advance();
  EXPECT_EQ(settled(), 1u);
}

TEST_F(SchedulerAudit, IsOffWithoutANumber) {
  Serve(0);
  for (int i = 0; i < 5; ++i) ExitAtFirst(7);
  EXPECT_TRUE(NothingSent());
  EXPECT_EQ(settled(), 5u);
}

}  // namespace
}  // namespace escan
