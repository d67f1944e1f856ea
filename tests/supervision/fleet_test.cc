#include "supervision/fleet.h"

#include "supervision/fleet_fixture.h"

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(FleetTest, StartsEveryWorkerOfItsGroups) {
  SetGroups({Group(2, {0, 1}, 30), Group(1, {2})});
  EXPECT_THAT(Actions(), ElementsAre("start 0", "start 1", "start 2"));
  EXPECT_EQ(started_[1].role, Group(1, {0, 1}, 30));
  EXPECT_EQ(started_[2].role, Group(1, {2}));
  EXPECT_EQ(State(0), FleetState::kStarting);
  EXPECT_EQ(next_, now_ + options_.start_timeout);
  EXPECT_EQ(fleet_.change(), Fleet::Change::kNone);
  EXPECT_TRUE(fleet_.switched());
  EXPECT_FALSE(fleet_.empty());
}

TEST_F(FleetTest, WaitsForNothingOnceAllAreReady) {
  Serve({Group(2, {0})});
  EXPECT_EQ(State(0), FleetState::kReady);
  EXPECT_EQ(State(1), FleetState::kReady);
  EXPECT_EQ(next_, TimePoint::max());
}

TEST_F(FleetTest, RestartsAtOnceWhatWasReady) {
  Serve({Group(1, {0})});
  for (uint64_t restarts = 1; restarts <= 5; ++restarts) {
    const uint32_t before = Incarnation(0);
    Exited(0, "signal 9 (Killed)");
    EXPECT_THAT(Actions(), ElementsAre("start 0"));
    EXPECT_NE(Incarnation(0), before);
    EXPECT_EQ(fleet_.Find(0)->restarts, restarts);
    EXPECT_EQ(fleet_.Find(0)->failed_starts, 0);
    EXPECT_EQ(fleet_.Find(0)->last_end, "signal 9 (Killed)");
    Ready(0);
  }
}

TEST_F(FleetTest, BacksOffFromStartsThatNeverBecomeReady) {
  SetGroups({Group(1, {0})});
  Actions();
  for (const auto expected : {milliseconds(100), milliseconds(200), milliseconds(400),
                              milliseconds(800), milliseconds(1000), milliseconds(1000)}) {
    Exited(0);
    EXPECT_EQ(State(0), FleetState::kWaiting);
    EXPECT_THAT(Actions(), IsEmpty());
    EXPECT_EQ(next_ - now_, expected);
    now_ = next_ - Duration(1);
    Advance();
    EXPECT_THAT(Actions(), IsEmpty());
    AdvanceToNext();
    EXPECT_THAT(Actions(), ElementsAre("start 0"));
  }
  EXPECT_EQ(fleet_.Find(0)->failed_starts, 6);
}

TEST_F(FleetTest, ForgetsFailedStartsOnceReady) {
  SetGroups({Group(1, {0})});
  Exited(0);
  AdvanceToNext();
  Exited(0);
  AdvanceToNext();
  Ready(0);
  EXPECT_EQ(fleet_.Find(0)->failed_starts, 0);
  Actions();
  Exited(0);
  EXPECT_THAT(Actions(), ElementsAre("start 0"));
  Exited(0);
  EXPECT_EQ(next_ - now_, options_.first_backoff);
}

TEST_F(FleetTest, FirstGroupsAreTriedForever) {
  SetGroups({Group(1, {0})});
  for (int i = 0; i < 50; ++i) {
    Exited(0);
    AdvanceToNext();
  }
  EXPECT_EQ(fleet_.change(), Fleet::Change::kNone);
  EXPECT_EQ(State(0), FleetState::kStarting);
}

TEST_F(FleetTest, KillsAStartThatTakesTooLong) {
  SetGroups({Group(1, {0})});
  Actions();
  now_ = next_ - Duration(1);
  Advance();
  EXPECT_THAT(Actions(), IsEmpty());
  AdvanceToNext();
  EXPECT_THAT(Actions(), ElementsAre("kill 0"));
  EXPECT_EQ(next_, TimePoint::max());
  Exited(0, "signal 9 (Killed)");
  EXPECT_EQ(fleet_.Find(0)->last_end, "not ready 1m after its start, ended: signal 9 (Killed)");
  EXPECT_EQ(fleet_.Find(0)->failed_starts, 1);
  EXPECT_EQ(next_ - now_, options_.first_backoff);
  AdvanceToNext();
  EXPECT_THAT(Actions(), ElementsAre("start 0"));
  EXPECT_EQ(fleet_.Find(0)->kill_reason, "");
}

TEST_F(FleetTest, ReadyAfterTheKillIsTooLate) {
  SetGroups({Group(1, {0})});
  AdvanceToNext();
  Ready(0);
  EXPECT_EQ(State(0), FleetState::kStopping);
}

TEST_F(FleetTest, IgnoresFactsAboutAnotherIncarnation) {
  Serve({Group(1, {0})});
  const uint32_t old = Incarnation(0);
  Exited(0);
  Actions();
  fleet_.Ready(0, old, now_);
  fleet_.Exited(0, old, "late", now_);
  fleet_.Ready(7, 1, now_);
  fleet_.Exited(7, 1, "unknown", now_);
  fleet_.Drained(7, now_);
  fleet_.Drained(0, now_);
  Advance();
  EXPECT_EQ(State(0), FleetState::kStarting);
  EXPECT_EQ(fleet_.Find(0)->last_end, "exit status 1");
  EXPECT_THAT(Actions(), IsEmpty());
}

TEST_F(FleetTest, IgnoresASecondEnd) {
  SetGroups({Group(1, {0})});
  Exited(0);
  Exited(0);
  EXPECT_EQ(fleet_.Find(0)->failed_starts, 1);
}

TEST_F(FleetTest, StopAllDrainsThenStopsThenIsEmpty) {
  Serve({Group(2, {0})});
  fleet_.StopAll(now_);
  Advance();
  EXPECT_THAT(Actions(), ElementsAre("drain 0", "drain 1"));
  EXPECT_EQ(State(0), FleetState::kDraining);
  Drained(0);
  EXPECT_THAT(Actions(), ElementsAre("stop 0"));
  EXPECT_EQ(State(0), FleetState::kStopping);
  Exited(0, "exit status 0");
  EXPECT_THAT(Ids(), ElementsAre(1));
  EXPECT_FALSE(fleet_.empty());
  Drained(1);
  Exited(1, "exit status 0");
  EXPECT_TRUE(fleet_.empty());
  EXPECT_THAT(Actions(), ElementsAre("stop 1"));
  EXPECT_EQ(next_, TimePoint::max());
}

TEST_F(FleetTest, StopAllKillsWhatIsNotReadyAndForgetsWhatDoesNotRun) {
  SetGroups({Group(2, {0})});
  Actions();
  Exited(0);
  EXPECT_EQ(State(0), FleetState::kWaiting);
  fleet_.StopAll(now_);
  Advance();
  EXPECT_THAT(Actions(), ElementsAre("kill 1"));
  EXPECT_THAT(Ids(), ElementsAre(1));
  Exited(1);
  EXPECT_TRUE(fleet_.empty());
  EXPECT_THAT(Actions(), IsEmpty());
}

TEST_F(FleetTest, StopAllRestartsNothing) {
  Serve({Group(1, {0})});
  fleet_.StopAll(now_);
  Exited(0);
  EXPECT_TRUE(fleet_.empty());
  EXPECT_THAT(Actions(), IsEmpty());
}

TEST_F(FleetTest, KillsWhatDoesNotDrainInTime) {
  Serve({Group(1, {0})});
  fleet_.StopAll(now_);
  Advance();
  EXPECT_EQ(next_ - now_, options_.drain_timeout);
  Actions();
  AdvanceToNext();
  EXPECT_THAT(Actions(), ElementsAre("kill 0"));
  Drained(0);
  EXPECT_THAT(Actions(), IsEmpty());
  Exited(0);
  EXPECT_TRUE(fleet_.empty());
}

TEST_F(FleetTest, KillsWhatDoesNotStopInTime) {
  Serve({Group(1, {0})});
  fleet_.StopAll(now_);
  Advance();
  now_ += seconds(3);
  Drained(0);
  EXPECT_EQ(next_ - now_, options_.stop_timeout);
  Actions();
  AdvanceToNext();
  EXPECT_THAT(Actions(), ElementsAre("kill 0"));
  EXPECT_EQ(next_, TimePoint::max());
}

TEST_F(FleetTest, StatesHaveNames) {
  EXPECT_EQ(Name(FleetState::kStarting), "starting");
  EXPECT_EQ(Name(FleetState::kReady), "ready");
  EXPECT_EQ(Name(FleetState::kDraining), "draining");
  EXPECT_EQ(Name(FleetState::kStopping), "stopping");
  EXPECT_EQ(Name(FleetState::kWaiting), "waiting");
}

}  // namespace
}  // namespace escan
