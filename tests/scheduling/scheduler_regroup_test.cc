// regroup: false, where the survivors of a batch go on together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduling/scheduler_harness.h"

namespace escan {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Survivors : public SchedulerTest {
 protected:
  void SetUp() override {
    Stages(2);
    plan_.options.regroup = false;
    policy(1).max_delay = milliseconds(500);
  }

  // A row's batch at worker 0, which hosts both stages; worker 1 hosts the last one.
  Sent RowAtTheFirstOfTwo() {
    Start();
    Ready(0, {0, 1});
    Ready(1, {1});
    Admit({0});
    Advance();
    return Take();
  }
};

TEST_F(Survivors, GoOnAloneOnTheSameWorkerBeforeAnythingElse) {
  Start();
  Ready(0, {0, 1});
  Ready(1, {0, 1});
  Admit({0, 1, 2, 3});
  Admit({4, 5, 6, 7});
  Advance();
  const Sent first = Take();
  const Sent second = Take();
  Admit({8, 9, 10, 11}, milliseconds(100), kHighestPriority);
  Done(first, {0.1f, 0.9f, 0.1f, 0.9f});
  const Sent survivors = Take();
  EXPECT_EQ(survivors.worker, first.worker);
  EXPECT_EQ(survivors.stage, 1);
  EXPECT_THAT(survivors.slots, ElementsAre(0u, 2u));
  Done(second, {0.1f, 0.1f, 0.9f, 0.9f});
  const Sent others = Take();
  EXPECT_EQ(others.worker, second.worker);
  EXPECT_THAT(others.slots, ElementsAre(4u, 5u));
}

TEST_F(Survivors, GoOnInChunksWhenTheNextBatchIsSmaller) {
  policy(1).max_batch = 2;
  Start();
  Ready(0, {0, 1});
  Admit({0, 1, 2, 3});
  Advance();
  Done(Take(), {0.1f, 0.1f, 0.1f, 0.9f});
  EXPECT_EQ(scheduler_->queued(1), 1);
  EXPECT_EQ(scheduler_->in_flight(1), 2);
  Sent sent = Take();
  EXPECT_THAT(sent.slots, ElementsAre(0u, 1u));
  Done(sent, {0.1f, 0.1f});
  sent = Take();
  EXPECT_THAT(sent.slots, ElementsAre(2u));
  Done(sent, {0.1f});
  EXPECT_THAT(actions_.settled, SizeIs(1));
}

TEST_F(Survivors, OfTwoBatchesDoNotMeet) {
  Start();
  Ready(0, {0, 1}, 2);
  Admit({0, 1, 2, 3});
  Admit({4, 5, 6, 7});
  Advance();
  const Sent first = Take();
  const Sent second = Take();
  Result(first, {0.1f, 0.9f, 0.9f, 0.9f}, {0, 0, 0, 0});
  Result(second, {0.1f, 0.9f, 0.9f, 0.9f}, {0, 0, 0, 0});
  Advance();
  EXPECT_THAT(Take().slots, ElementsAre(0u));
  EXPECT_THAT(Take().slots, ElementsAre(4u));
}

TEST_F(Survivors, AreDroppedWhenTheirRequestIsCancelled) {
  Start();
  Ready(0, {0, 1});
  const RequestKey key = Admit({0, 1, 2, 3});
  Advance();
  Result(Take(), {0.1f, 0.1f, 0.1f, 0.1f}, {0, 0, 0, 0});
  EXPECT_EQ(scheduler_->queued(1), 4);
  scheduler_->Cancel(key, now_);
  Advance();
  EXPECT_TRUE(NothingSent());
  EXPECT_EQ(scheduler_->queued(1), 0);
  EXPECT_THAT(actions_.settled, ElementsAre(key));
}

TEST_F(Survivors, AreDroppedAtTheirDeadline) {
  Start();
  Ready(0, {0, 1});
  Admit({0}, milliseconds(10));
  Advance();
  const Sent sent = Take();
  Result(sent, {0.1f}, {0});
  Advance(milliseconds(10));
  EXPECT_TRUE(NothingSent());
  EXPECT_EQ(LastCode(), OutcomeCode::kDeadlineExceeded);
}

TEST_F(Survivors, GoBackToTheQueueWhenTheirWorkerDrains) {
  Result(RowAtTheFirstOfTwo(), {0.1f}, {0});
  scheduler_->WorkerDraining(0, now_);
  Advance();
  EXPECT_EQ(Take().worker, 1);
}

TEST_F(Survivors, GoBackToTheQueueWhenTheirWorkerIsGone) {
  Result(RowAtTheFirstOfTwo(), {0.1f}, {0});
  scheduler_->WorkerGone(0, WorkerEnd::kSuspect, now_);
  Advance();
  EXPECT_EQ(Take().worker, 1);
}

TEST_F(Survivors, OfADrainingWorkerGoToTheQueue) {
  const Sent sent = RowAtTheFirstOfTwo();
  scheduler_->WorkerDraining(0, now_);
  Done(sent, {0.1f});
  EXPECT_EQ(Take().worker, 1);
}

TEST_F(Survivors, AWorkerWithoutTheNextStageLeavesThemToOthers) {
  Start();
  Ready(0, {0});
  Ready(1, {1});
  Admit({0});
  Advance();
  Done(Take(), {0.1f});
  EXPECT_EQ(Take().worker, 1);
}

TEST_F(Survivors, RegroupMayBeTurnedOnWithSamplesInside) {
  Start();
  Ready(0, {0, 1});
  Admit({0});
  Advance();
  Result(Take(), {0.1f}, {0});
  plan_.options.regroup = true;
  Policies();
  Advance();
  Done(Take(), {0.1f});
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
  EXPECT_THAT(actions_.settled, SizeIs(1));
}

}  // namespace
}  // namespace escan
