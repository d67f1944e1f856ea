// Workers that a fault of one of them ends together, as it does all MPS clients of a GPU.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <set>
#include <vector>

#include "scheduling/scheduler_harness.h"

namespace escan {
namespace {

using std::chrono::seconds;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSubsetOf;
using ::testing::Not;
using ::testing::SizeIs;

constexpr int kDevice = 0;
constexpr int kOtherDevice = 1;
constexpr WorkerId kVictim = 9;  // shares nothing; ends to make suspects

class SchedulerFaultDomains : public SchedulerTest {
 protected:
  void SetUp() override {
    Stages(2);
    policy(0).max_batch = 1;
    Start();
  }

  // Workers `first` and the next one of a device, for both stages with a credit each.
  void ReadyTwo(WorkerId first, int device) {
    for (const WorkerId id : {first, first + 1}) Ready(id, {0, 1}, 1, device);
  }

  // A request of one row that is less urgent than any suspect.
  void AdmitRow(SlotId slot) { Admit({slot}, seconds(1000)); }

  // Makes suspects of new requests' rows, while no other worker has a credit.
  void MakeSuspects(const std::vector<SlotId>& slots) {
    policy(0).max_batch = static_cast<int>(slots.size());
    Policies();
    Ready(kVictim, {0, 1});
    for (const SlotId slot : slots) Admit({slot}, seconds(100));
    Advance();
    const Sent sent = Take();
    EXPECT_EQ(sent.worker, kVictim);
    EXPECT_EQ(sent.slots, slots);
    scheduler_->WorkerGone(kVictim, WorkerEnd::kSuspect, now_);
    policy(0).max_batch = 1;
    Policies();
    Advance();
  }

  // What follows a fault on a device: all its workers are drained, then end in this order.
  void Fault(const std::vector<WorkerId>& workers) {
    for (const WorkerId id : workers) scheduler_->WorkerDraining(id, now_);
    for (const WorkerId id : workers) {
      scheduler_->WorkerGone(id, WorkerEnd::kSuspect, now_);
      Advance();
    }
  }

  // All that was dispatched.
  std::vector<Sent> TakeAll() {
    std::vector<Sent> all(actions_.sent.begin(), actions_.sent.end());
    actions_.sent.clear();
    return all;
  }

  std::vector<OutcomeCode> Codes() const {
    std::vector<OutcomeCode> codes;
    for (const auto& completed : actions_.completed) codes.push_back(completed.outcome.code);
    return codes;
  }
};

TEST_F(SchedulerFaultDomains, ASuspectIsTriedWhenItsWholeDeviceHoldsNothing) {
  ReadyTwo(0, kDevice);
  AdmitRow(1);
  AdmitRow(2);
  Advance();
  const Sent first = Take();
  const Sent second = Take();
  MakeSuspects({0});
  AdmitRow(3);
  Done(first, {0.9f});
  EXPECT_TRUE(NothingSent()) << "the device is kept for the suspect, and holds a batch";
  Done(second, {0.9f});
  EXPECT_THAT(Take().slots, ElementsAre(0u));
  EXPECT_TRUE(NothingSent());
}

TEST_F(SchedulerFaultDomains, NothingJoinsADeviceThatTriesASuspect) {
  MakeSuspects({0});
  Ready(0, {0, 1}, 2, kDevice);
  Ready(1, {0, 1}, 2, kDevice);
  Advance();
  const Sent trial = Take();
  EXPECT_THAT(trial.slots, ElementsAre(0u));
  AdmitRow(1);
  AdmitRow(2);
  Ready(2, {0, 1}, 2, kDevice);
  Advance();
  EXPECT_TRUE(NothingSent()) << "not even a worker that has come since";
  Ready(3, {0, 1}, 1, kOtherDevice);
  Advance();
  EXPECT_EQ(Take().worker, 3);
  EXPECT_TRUE(NothingSent());
  Done(trial, {0.9f});
  EXPECT_THAT(Take().slots, ElementsAre(2u));
}

TEST_F(SchedulerFaultDomains, WorkersWithoutADomainShareNothing) {
  MakeSuspects({0});
  AdmitRow(1);
  Ready(0, {0, 1});
  Ready(1, {0, 1});
  Advance();
  EXPECT_THAT(Take().slots, ElementsAre(0u));
  EXPECT_THAT(Take().slots, ElementsAre(1u));
}

TEST_F(SchedulerFaultDomains, IdleWorkersOfADeviceThatTriesASuspectHoldBackNoSecondCredit) {
  MakeSuspects({0});
  ReadyTwo(0, kDevice);
  Advance();
  Take();
  Ready(2, {0, 1}, 2, kOtherDevice);
  AdmitRow(1);
  AdmitRow(2);
  AdmitRow(3);
  Advance();
  EXPECT_EQ(Take().worker, 2);
  EXPECT_EQ(Take().worker, 2);
  EXPECT_TRUE(NothingSent());
}

TEST_F(SchedulerFaultDomains, RowsOfAllWorkersOfAFaultAreTriedOneByOne) {
  Ready(0, {0, 1}, 2, kDevice);
  Ready(1, {0, 1}, 2, kDevice);
  for (SlotId slot = 0; slot < 4; ++slot) AdmitRow(slot);
  Advance();
  EXPECT_THAT(TakeAll(), SizeIs(4));
  Fault({0, 1});
  Ready(0, {0, 1}, 2, kDevice);
  Ready(1, {0, 1}, 2, kDevice);
  Advance();
  for (SlotId slot = 0; slot < 4; ++slot) {
    const Sent trial = Take();
    EXPECT_THAT(trial.slots, ElementsAre(slot));
    EXPECT_TRUE(NothingSent());
    Done(trial, {0.9f});
  }
  EXPECT_THAT(Codes(),
              ElementsAre(OutcomeCode::kOk, OutcomeCode::kOk, OutcomeCode::kOk, OutcomeCode::kOk));
}

TEST_F(SchedulerFaultDomains, AFaultDuringATrialBlamesTheRowThatWasTriedAlone) {
  MakeSuspects({0, 1, 2});
  for (const std::vector<WorkerId>& order : {std::vector{0, 1}, std::vector{1, 0}}) {
    ReadyTwo(0, kDevice);
    Advance();
    Take();
    Fault(order);
  }
  EXPECT_THAT(Codes(), ElementsAre(OutcomeCode::kWorkerKilled, OutcomeCode::kWorkerKilled));
  EXPECT_EQ(scheduler_->queued(0), 1) << "a suspect that waits has no part in others' trials";
  Ready(0, {0, 1}, 1, kDevice);
  Advance();
  Done(Take(), {0.9f});
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
}

TEST_F(SchedulerFaultDomains, TheEndOfAWorkerThatHoldsNothingDoesNotEndATrial) {
  MakeSuspects({0});
  ReadyTwo(0, kDevice);
  Advance();
  const Sent trial = Take();
  scheduler_->WorkerGone(1, WorkerEnd::kSuspect, now_);
  EXPECT_THAT(actions_.completed, IsEmpty());
  AdmitRow(1);
  Ready(1, {0, 1}, 1, kDevice);
  Advance();
  EXPECT_TRUE(NothingSent());
  Done(trial, {0.9f});
  EXPECT_THAT(Codes(), ElementsAre(OutcomeCode::kOk));
  EXPECT_THAT(Take().slots, ElementsAre(1u));
}

TEST_F(SchedulerFaultDomains, ATrialThatEndsBlamelesslyIsRepeated) {
  MakeSuspects({0});
  AdmitRow(1);
  ReadyTwo(0, kDevice);
  Advance();
  EXPECT_THAT(Take().slots, ElementsAre(0u));
  scheduler_->WorkerGone(0, WorkerEnd::kBlameless, now_);
  Advance();
  const Sent again = Take();
  EXPECT_EQ(again.worker, 1);
  EXPECT_THAT(again.slots, ElementsAre(0u));
  EXPECT_TRUE(NothingSent());
}

TEST_F(SchedulerFaultDomains, ATrialWaitsForWhatDrainingWorkersOfTheDeviceHold) {
  Ready(0, {0, 1}, 1, kDevice);
  AdmitRow(1);
  Advance();
  const Sent held = Take();
  MakeSuspects({0});
  scheduler_->WorkerDraining(0, now_);
  Ready(1, {0, 1}, 1, kDevice);
  Advance();
  EXPECT_TRUE(NothingSent());
  Done(held, {0.9f});
  const Sent trial = Take();
  EXPECT_EQ(trial.worker, 1);
  EXPECT_THAT(trial.slots, ElementsAre(0u));
}

TEST_F(SchedulerFaultDomains, ATrialAtADrainingWorkerStillKeepsItsDeviceAlone) {
  MakeSuspects({0});
  ReadyTwo(0, kDevice);
  Advance();
  const Sent trial = Take();
  scheduler_->WorkerDraining(0, now_);
  AdmitRow(1);
  Advance();
  EXPECT_TRUE(NothingSent());
  Done(trial, {0.9f});
  EXPECT_THAT(Take().slots, ElementsAre(1u));
}

TEST_F(SchedulerFaultDomains, AWorkerThatComesBackOnAnotherDeviceIsFree) {
  MakeSuspects({0});
  ReadyTwo(0, kDevice);
  Advance();
  Take();
  AdmitRow(1);
  Ready(1, {0, 1}, 1, kOtherDevice);
  Advance();
  EXPECT_EQ(Take().worker, 1);
}

TEST_F(SchedulerFaultDomains, SurvivorsThatStayTogetherGoOnBeforeATrial) {
  plan_.options.regroup = false;
  Policies();
  ReadyTwo(0, kDevice);
  AdmitRow(1);
  AdmitRow(2);
  Advance();
  const Sent first = Take();
  const Sent second = Take();
  MakeSuspects({0});
  Done(first, {0.1f});
  const Sent survivor = Take();
  EXPECT_THAT(survivor.slots, ElementsAre(1u));
  EXPECT_EQ(survivor.stage, 1);
  Done(second, {0.9f});
  EXPECT_TRUE(NothingSent());
  Done(survivor, {0.9f});
  EXPECT_THAT(Take().slots, ElementsAre(0u));
}

TEST_F(SchedulerFaultDomains, TheLastSurvivorsOfADeviceGoOnBeforeATrial) {
  plan_.options.regroup = false;
  Policies();
  Ready(0, {0, 1}, 1, kDevice);
  AdmitRow(1);
  Advance();
  const Sent last = Take();
  MakeSuspects({0});
  Ready(1, {0, 1}, 1, kDevice);
  Advance();
  EXPECT_TRUE(NothingSent());
  Done(last, {0.1f});
  const Sent survivor = Take();
  EXPECT_THAT(survivor.slots, ElementsAre(1u));
  EXPECT_TRUE(NothingSent());
  Done(survivor, {0.9f});
  EXPECT_THAT(Take().slots, ElementsAre(0u));
}

// The trial may be one that never ends.
TEST_F(SchedulerFaultDomains, ASuspectDoesNotWaitForAnothersTrial) {
  MakeSuspects({0});
  Ready(0, {0, 1}, 1, kDevice);
  Advance();
  EXPECT_THAT(Take().slots, ElementsAre(0u));
  ReadyTwo(1, kOtherDevice);
  AdmitRow(1);
  AdmitRow(2);
  Advance();
  const Sent first = Take();
  const Sent second = Take();
  MakeSuspects({3});
  AdmitRow(4);
  Done(first, {0.9f});
  EXPECT_TRUE(NothingSent());
  Done(second, {0.9f});
  EXPECT_THAT(Take().slots, ElementsAre(3u));
}

TEST_F(SchedulerFaultDomains, CopiesThatOneFaultHitAreTriedOneAfterTheOther) {
  policy(1).speculate = true;
  Policies();
  Ready(0, {0}, 1, kDevice);
  Ready(1, {1}, 1, kDevice);
  AdmitRow(0);
  Advance();
  EXPECT_THAT(TakeAll(), SizeIs(2));
  Fault({1, 0});
  Ready(0, {0}, 1, kDevice);
  Ready(1, {1}, 1, kDevice);
  Advance();
  const Sent trial = Take();
  EXPECT_EQ(trial.stage, 0);
  EXPECT_TRUE(NothingSent());
  Done(trial, {0.1f});
  EXPECT_EQ(Take().stage, 1);
}

// Six workers on two devices that are never short of rows.
TEST_F(SchedulerFaultDomains, UnderFullLoadASuspectGetsItsTurnWhileOtherDevicesGoOn) {
  for (WorkerId id = 0; id < 6; ++id) Ready(id, {0, 1}, 2, id < 3 ? kDevice : kOtherDevice);
  for (SlotId slot = 1; slot <= 60; ++slot) AdmitRow(slot);
  Advance();
  const std::vector<Sent> full = TakeAll();
  ASSERT_THAT(full, SizeIs(12));
  std::deque<Sent> pending(full.begin(), full.end());
  MakeSuspects({0});
  ASSERT_TRUE(NothingSent());
  std::set<WorkerId> served;
  WorkerId tried_at = -1;
  for (size_t landings = 0; landings < full.size() && tried_at < 0; ++landings) {
    Done(pending.front(), {0.9f});
    pending.pop_front();
    for (const Sent& sent : TakeAll()) {
      if (sent.slots.front() == 0) {
        tried_at = sent.worker;
      } else {
        served.insert(sent.worker);
        pending.push_back(sent);
      }
    }
  }
  EXPECT_THAT((std::vector<WorkerId>{0, 1, 2}), ::testing::Contains(tried_at));
  EXPECT_THAT(served, Not(IsEmpty()));
  EXPECT_THAT(served, IsSubsetOf({3, 4, 5}));
  for (const Sent& sent : pending) EXPECT_GE(sent.worker, 3) << "the suspect is not alone";
}

TEST_F(SchedulerFaultDomains, OtherRowsGetTheirTurnAmongManySuspects) {
  constexpr SlotId kSuspects = 40;
  std::vector<SlotId> suspects;
  for (SlotId slot = 0; slot < kSuspects; ++slot) suspects.push_back(slot);
  MakeSuspects(suspects);
  ReadyTwo(0, kDevice);
  AdmitRow(50);
  AdmitRow(51);
  Advance();
  std::vector<size_t> turns;  // of the other rows, by the number of batches before
  for (size_t batches = 0; batches < kSuspects + 2; ++batches) {
    const Sent sent = Take();
    ASSERT_THAT(sent.slots, SizeIs(1));
    if (sent.slots.front() >= kSuspects) turns.push_back(batches);
    EXPECT_TRUE(NothingSent()) << "the device is kept for the next suspect";
    Done(sent, {0.9f});
  }
  EXPECT_THAT(turns, ElementsAre(16u, 33u));
  EXPECT_THAT(Codes(), SizeIs(kSuspects + 2));
  EXPECT_THAT(Codes(), Each(OutcomeCode::kOk));
}

}  // namespace
}  // namespace escan
