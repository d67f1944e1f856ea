// Which worker runs what, and when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "scheduling/scheduler_harness.h"

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Dispatcher : public SchedulerTest {
 protected:
  void SetUp() override { Stages(2); }
};

TEST_F(Dispatcher, AFullBatchGoesAtOnce) {
  policy(0).max_delay = milliseconds(5);
  Start();
  Ready(0, {0, 1});
  Admit({0, 1, 2});
  Advance();
  EXPECT_TRUE(NothingSent());
  Admit({3});
  Advance();
  EXPECT_THAT(Take().slots, SizeIs(4));
}

TEST_F(Dispatcher, APartialBatchGoesWhenItsOldestSampleHasWaitedLongEnough) {
  policy(0).max_delay = milliseconds(5);
  Start();
  Ready(0, {0, 1});
  const TimePoint queued = now_;
  Admit({0}, seconds(2));
  Advance(milliseconds(3));
  Admit({1}, seconds(1));  // more urgent, but younger
  EXPECT_EQ(Advance(), queued + milliseconds(5));
  EXPECT_TRUE(NothingSent());
  Advance(milliseconds(2));
  EXPECT_THAT(Take().slots, ElementsAre(1u, 0u));
}

TEST_F(Dispatcher, WaitsForNobodyWhenNoSlotIsFree) {
  Stages(2, 3);
  policy(0).max_delay = milliseconds(5);
  Start();
  Ready(0, {0, 1});
  Admit({0, 1});
  Advance();
  EXPECT_TRUE(NothingSent());
  Admit({2});
  Advance();
  EXPECT_THAT(Take().slots, SizeIs(3));
}

TEST_F(Dispatcher, ALaterStageWaitsOnlyWhileAnEarlierOneMayBringMore) {
  policy(1).max_delay = milliseconds(50);
  Start();
  Ready(0, {0}, 2);
  Ready(1, {1});
  Admit({0});
  Advance();
  const Sent first = Take();
  Admit({1});
  Advance();
  const Sent second = Take();
  Done(first, {0.1f});
  EXPECT_TRUE(NothingSent());
  Done(second, {0.1f});
  EXPECT_THAT(Take().slots, ElementsAre(0u, 1u));
}

TEST_F(Dispatcher, OrdersByPriorityDeadlineAndArrival) {
  policy(0).max_batch = 1;
  Start();
  Admit({0}, milliseconds(900), kLowestPriority);
  Admit({1}, milliseconds(990));
  Admit({2}, milliseconds(950));
  Admit({3}, milliseconds(950));
  Admit({4}, milliseconds(999), kHighestPriority);
  Ready(0, {0});
  std::vector<SlotId> order;
  Advance();
  for (int i = 0; i < 5; ++i) {
    const Sent sent = Take();
    order.push_back(sent.slots.at(0));
    Done(sent, {1.0f});
  }
  EXPECT_THAT(order, ElementsAre(4u, 2u, 3u, 1u, 0u));
}

TEST_F(Dispatcher, PrefersTheStageClosestToItsDeadline) {
  policy(0).max_batch = policy(1).max_batch = 1;
  Start();
  Ready(0, {0, 1});
  Admit({0}, milliseconds(900));
  Advance();
  const Sent sent = Take();
  Admit({1}, milliseconds(500));
  Done(sent, {0.1f});
  EXPECT_EQ(Take().stage, 0);
}

TEST_F(Dispatcher, PrefersTheLaterStageAtEqualUrgency) {
  policy(0).max_batch = policy(1).max_batch = 1;
  Start();
  Ready(0, {0, 1});
  Admit({0, 1});
  Advance();
  Done(Take(), {0.1f});
  const Sent sent = Take();
  EXPECT_EQ(sent.stage, 1);
  EXPECT_THAT(sent.slots, ElementsAre(0u));
}

TEST_F(Dispatcher, APartialBatchGoesFirstWhenItWouldMissItsDeadline) {
  policy(0).max_batch = 1;
  policy(1).max_delay = seconds(1);
  Start();
  Measure(0, {0, 1}, 1, milliseconds(20));
  const auto run = [&](const Sent& sent, float score) {
    now_ += sent.stage == 0 ? milliseconds(20) : milliseconds(30);
    Done(sent, {score});
  };
  Admit({0});
  Advance();
  run(Take(), 0.1f);
  run(Take(), 0.1f);
  for (const auto& [left, stage] : {std::pair(milliseconds(49), 1), {milliseconds(51), 0}}) {
    Admit({1}, milliseconds(20) + left);
    Advance();
    const Sent first = Take();
    Admit({2}, milliseconds(500), kLowestPriority);
    run(first, 0.1f);
    const Sent chosen = Take();
    EXPECT_EQ(chosen.stage, stage) << "30 ms are needed, and 20 ms for the full batch";
    run(chosen, 0.9f);
    run(Take(), 0.9f);
  }
}

TEST_F(Dispatcher, SpreadsOverIdleWorkers) {
  policy(0).max_batch = 1;
  Start();
  Ready(0, {0, 1}, 2);
  Ready(1, {0, 1}, 2);
  Admit({0, 1, 2});
  Advance();
  EXPECT_EQ(Take().worker, 0);
  EXPECT_EQ(Take().worker, 1);
  EXPECT_EQ(Take().worker, 0);
}

TEST_F(Dispatcher, PrefersTheWorkerThatHostsTheFewestStages) {
  Start();
  Ready(0, {0, 1});
  Ready(1, {0});
  Admit({0});
  Advance();
  EXPECT_EQ(Take().worker, 1);
}

TEST_F(Dispatcher, NoSecondCreditWhileAnotherHostIsIdle) {
  policy(0).max_batch = 1;
  policy(1).max_delay = milliseconds(50);
  Start();
  Ready(0, {0, 1}, 2);
  Ready(1, {1});
  Admit({0, 1});
  Advance();
  const Sent sent = Take();
  EXPECT_EQ(sent.worker, 0);
  EXPECT_EQ(Take().worker, 0);
  Done(sent, {0.1f});
  Advance(milliseconds(50));
  EXPECT_EQ(Take().worker, 1);
}

TEST_F(Dispatcher, NoSecondCreditForAnUrgentBatchThatAnIdleHostCanTakeInTime) {
  policy(0).max_batch = 1;
  policy(1).max_delay = seconds(1);
  Start();
  Measure(0, {0, 1}, 1, milliseconds(100));
  Admit({0});
  Advance();
  const Sent again = Take();
  now_ += milliseconds(100);
  Done(again, {0.1f});
  const Sent late = Take();
  now_ += milliseconds(10);
  Done(late, {0.1f});
  Ready(0, {0, 1}, 2);
  Ready(1, {1});
  Admit({1}, milliseconds(150));
  Admit({2, 3}, milliseconds(900), kLowestPriority);
  Advance();
  const Sent first = Take();
  Take();
  now_ += milliseconds(100);
  Done(first, {0.1f});
  EXPECT_EQ(Take().stage, 0);
  EXPECT_TRUE(NothingSent());
  EXPECT_EQ(Advance(), now_ + milliseconds(30)) << "50 ms are left for steps of 10 ms";
  Advance(milliseconds(30));
  const Sent urgent = Take();
  EXPECT_EQ(urgent.worker, 1);
  EXPECT_THAT(urgent.slots, ElementsAre(1u));
}

TEST_F(Dispatcher, NeverExceedsTheCredits) {
  policy(0).max_batch = 1;
  Start();
  Ready(0, {0, 1}, 2);
  Admit({0, 1, 2});
  Advance();
  Take();
  Take();
  EXPECT_TRUE(NothingSent());
}

TEST_F(Dispatcher, GivesUpASampleThatCannotMakeItsDeadline) {
  policy(0).max_batch = 1;
  Start();
  Measure(0, {0, 1}, 1, milliseconds(20));
  Admit({0}, milliseconds(60));
  Admit({1}, milliseconds(30));
  Admit({2}, milliseconds(300));
  Advance();
  const Sent sent = Take();
  EXPECT_THAT(sent.slots, ElementsAre(1u));
  Admit({3}, milliseconds(35));
  now_ += milliseconds(20);
  Done(sent, {1.0f});
  ASSERT_THAT(actions_.completed, SizeIs(2));
  EXPECT_EQ(actions_.completed[1].key.first_slot, 3u);
  EXPECT_EQ(LastCode(), OutcomeCode::kDeadlineExceeded);
  EXPECT_THAT(Take().slots, ElementsAre(0u));
}

TEST_F(Dispatcher, AStageWithoutAWorkerWaitsUntilItsDeadline) {
  Start();
  Ready(0, {0});
  Admit({0}, milliseconds(100));
  Advance();
  Done(Take(), {0.1f});
  EXPECT_FALSE(scheduler_->hosted(1));
  const TimePoint next = Advance();
  EXPECT_GE(next, now_ + milliseconds(100));
  EXPECT_LT(next, TimePoint::max());
  EXPECT_THAT(actions_.completed, IsEmpty());
  now_ = next;
  Advance();
  EXPECT_EQ(LastCode(), OutcomeCode::kDeadlineExceeded);
}

TEST_F(Dispatcher, PoliciesChangeAtOnce) {
  policy(0).max_delay = seconds(1);
  Start();
  Ready(0, {0, 1});
  Admit({0, 1});
  Advance();
  EXPECT_TRUE(NothingSent());
  policy(0).max_batch = 2;
  Policies();
  Advance();
  EXPECT_THAT(Take().slots, SizeIs(2));
}

TEST_F(Dispatcher, ThresholdsChangeAtOnce) {
  Start();
  Ready(0, {0, 1});
  scheduler_->SetThreshold(0, 0.25f, now_);
  EXPECT_FLOAT_EQ(scheduler_->threshold(0), 0.25f);
  Admit({0});
  Advance();
  EXPECT_FLOAT_EQ(Take().threshold, 0.25f);
}

TEST_F(Dispatcher, AnEndlessDelayIsNoTimer) {
  policy(0).max_delay = Duration::max();
  Start();
  Ready(0, {0, 1});
  Admit({0}, milliseconds(100));
  EXPECT_LE(Advance(), now_ + milliseconds(102));
  EXPECT_TRUE(NothingSent());
}

}  // namespace
}  // namespace escan
