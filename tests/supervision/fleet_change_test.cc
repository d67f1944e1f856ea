// How a fleet goes from one set of groups to another.

#include "supervision/fleet.h"
#include "supervision/fleet_fixture.h"

namespace escan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FleetChangeTest : public FleetTest {};

TEST_F(FleetChangeTest, StartsTheNewBeforeItTouchesTheOld) {
  Serve({Group(2, {0, 1})});
  SetGroups({Group(1, {0}), Group(1, {1})});
  EXPECT_THAT(Actions(), ElementsAre("start 2", "start 3"));
  EXPECT_EQ(fleet_.change(), Fleet::Change::kInProgress);
  EXPECT_FALSE(fleet_.switched());
  EXPECT_TRUE(fleet_.Find(0)->outgoing);
  EXPECT_TRUE(fleet_.Find(2)->incoming);
  EXPECT_EQ(State(0), FleetState::kReady);

  Ready(2);
  EXPECT_EQ(State(2), FleetState::kReady);
  EXPECT_FALSE(fleet_.switched());
  EXPECT_THAT(Actions(), IsEmpty());

  Ready(3);
  EXPECT_TRUE(fleet_.switched());
  EXPECT_EQ(fleet_.change(), Fleet::Change::kInProgress);
  EXPECT_FALSE(fleet_.Find(2)->incoming);
  EXPECT_THAT(Actions(), ElementsAre("drain 0", "drain 1"));
}

TEST_F(FleetChangeTest, IsDoneWhenAllOldWorkersHaveGone) {
  Serve({Group(2, {0, 1})});
  SetGroups({Group(1, {0, 1}, 50)});
  Ready(2);
  Actions();
  Drained(0);
  Drained(1);
  EXPECT_THAT(Actions(), ElementsAre("stop 0", "stop 1"));
  Exited(1, "exit status 0");
  EXPECT_EQ(fleet_.change(), Fleet::Change::kInProgress);
  Exited(0, "exit status 0");
  EXPECT_EQ(fleet_.change(), Fleet::Change::kDone);
  EXPECT_TRUE(fleet_.switched());
  EXPECT_EQ(fleet_.change_started(), 1);
  EXPECT_EQ(fleet_.change_stopped(), 2);
  EXPECT_THAT(Ids(), ElementsAre(2));
  EXPECT_EQ(next_, TimePoint::max());
}

TEST_F(FleetChangeTest, KeepsWorkersThatEqualNewOnes) {
  Serve({Group(2, {0}), Group(1, {1})});
  const uint32_t incarnation = Incarnation(1);
  SetGroups({Group(1, {1}), Group(3, {0})});
  EXPECT_THAT(Actions(), ElementsAre("start 3"));
  EXPECT_EQ(fleet_.change_started(), 1);
  EXPECT_EQ(fleet_.change_stopped(), 0);
  Ready(3);
  EXPECT_EQ(fleet_.change(), Fleet::Change::kDone);
  EXPECT_EQ(Incarnation(1), incarnation);
  EXPECT_THAT(Actions(), IsEmpty());
}

TEST_F(FleetChangeTest, ReplacesAWorkerWhoseRoleDiffersInAnything) {
  const WorkerGroup base = Group(1, {0});
  WorkerGroup credits = base;
  credits.credits = 2;
  WorkerGroup device = base;
  device.device = 1;
  for (const WorkerGroup& other : {Group(1, {0, 1}), Group(1, {0}, 50), credits, device}) {
    Fleet fleet(this, options_);
    fleet.SetGroups({base}, now_);
    fleet.Advance(now_);
    fleet.SetGroups({other}, now_);
    EXPECT_EQ(fleet.change_started(), 1);
    EXPECT_EQ(fleet.change_stopped(), 1);
  }
}

TEST_F(FleetChangeTest, IsDoneAtOnceWhenNothingDiffers) {
  Serve({Group(2, {0})});
  SetGroups({Group(1, {0}), Group(1, {0})});
  EXPECT_EQ(fleet_.change(), Fleet::Change::kDone);
  EXPECT_TRUE(fleet_.switched());
  EXPECT_THAT(Actions(), IsEmpty());
}

TEST_F(FleetChangeTest, DrainsAtOnceWhenWorkersAreOnlyTakenAway) {
  Serve({Group(3, {0})});
  SetGroups({Group(1, {0})});
  EXPECT_TRUE(fleet_.switched());
  EXPECT_THAT(Actions(), ElementsAre("drain 1", "drain 2"));
  EXPECT_EQ(fleet_.change_stopped(), 2);
}

TEST_F(FleetChangeTest, KeepsReadyWorkersRatherThanOthers) {
  Serve({Group(2, {0})});
  Exited(0);  // starts again
  Actions();
  SetGroups({Group(1, {0})});
  EXPECT_THAT(Actions(), ElementsAre("kill 0"));
  EXPECT_FALSE(fleet_.Find(1)->outgoing);
}

TEST_F(FleetChangeTest, DoesNotSwitchWhileAKeptWorkerIsNotReady) {
  Serve({Group(1, {0}), Group(1, {0, 1})});
  Exited(0);
  Actions();
  SetGroups({Group(1, {0})});
  EXPECT_FALSE(fleet_.switched());
  EXPECT_THAT(Actions(), IsEmpty());
  Ready(0);
  EXPECT_TRUE(fleet_.switched());
  EXPECT_THAT(Actions(), ElementsAre("drain 1"));
}

TEST_F(FleetChangeTest, RestartsAnOldWorkerThatEndsBeforeTheSwitch) {
  Serve({Group(1, {0})});
  SetGroups({Group(1, {0, 1})});
  Actions();
  Exited(0);
  EXPECT_THAT(Actions(), ElementsAre("start 0"));
  EXPECT_EQ(State(0), FleetState::kStarting);
}

TEST_F(FleetChangeTest, KillsAnOldWorkerThatIsStartingAtTheSwitch) {
  Serve({Group(1, {0})});
  SetGroups({Group(1, {0, 1})});
  Exited(0);
  Actions();
  Ready(1);
  EXPECT_THAT(Actions(), ElementsAre("kill 0"));
  Exited(0);
  EXPECT_EQ(fleet_.change(), Fleet::Change::kDone);
}

TEST_F(FleetChangeTest, LetsAnOldWorkerThatEndsWhileDrainingGo) {
  Serve({Group(1, {0})});
  SetGroups({Group(1, {0, 1})});
  Ready(1);
  Actions();
  Exited(0, "signal 11 (Segmentation fault)");
  EXPECT_THAT(Actions(), IsEmpty());
  EXPECT_THAT(Ids(), ElementsAre(1));
  EXPECT_EQ(fleet_.change(), Fleet::Change::kDone);
}

TEST_F(FleetChangeTest, ForgetsAnOldWorkerThatDoesNotRunAtTheSwitch) {
  Serve({Group(1, {0})});
  SetGroups({Group(1, {0, 1})});
  Exited(0);
  Exited(0);  // its restart failed: waits
  Actions();
  Ready(1);
  EXPECT_THAT(Ids(), ElementsAre(1));
  EXPECT_EQ(fleet_.change(), Fleet::Change::kDone);
}

TEST_F(FleetChangeTest, RestartsANewWorkerThatEndsAfterItWasReady) {
  Serve({Group(1, {0})});
  SetGroups({Group(1, {0, 1}), Group(1, {1})});
  Ready(1);
  Actions();
  for (int i = 0; i < 5; ++i) {
    Exited(1);
    EXPECT_THAT(Actions(), ElementsAre("start 1"));
    Ready(1);
  }
  Exited(1);
  Ready(2);
  EXPECT_FALSE(fleet_.switched());
  EXPECT_EQ(fleet_.change(), Fleet::Change::kInProgress);
  Ready(1);
  EXPECT_TRUE(fleet_.switched());
}

TEST_F(FleetChangeTest, TriesANewWorkerAgainAfterAFailedStart) {
  Serve({Group(1, {0})});
  SetGroups({Group(1, {0, 1})});
  Actions();
  Exited(1);
  EXPECT_EQ(next_ - now_, options_.first_backoff);
  AdvanceToNext();
  EXPECT_THAT(Actions(), ElementsAre("start 1"));
  Ready(1);
  EXPECT_TRUE(fleet_.switched());
}

TEST_F(FleetChangeTest, IsGivenUpWhenANewWorkerCannotBeStarted) {
  Serve({Group(2, {0})});
  SetGroups({Group(1, {0}), Group(3, {0, 1})});  // 2, 3, 4
  Ready(3);
  Exited(2, "exit status 1");
  AdvanceToNext();
  Actions();
  Exited(2, "exit status 2");
  EXPECT_EQ(fleet_.change(), Fleet::Change::kFailed);
  EXPECT_FALSE(fleet_.switched());
  EXPECT_EQ(fleet_.change_error(), "worker 2 did not become ready in 2 starts: exit status 2");
  EXPECT_THAT(Actions(), ElementsAre("drain 3", "kill 4"));
  EXPECT_THAT(Ids(), ElementsAre(0, 1, 3, 4));

  Drained(3);
  EXPECT_THAT(Actions(), ElementsAre("stop 3"));
  Exited(3);
  Exited(4);
  EXPECT_THAT(Ids(), ElementsAre(0, 1));
  EXPECT_FALSE(fleet_.Find(1)->outgoing);
  EXPECT_EQ(State(0), FleetState::kReady);
  EXPECT_EQ(State(1), FleetState::kReady);
  EXPECT_THAT(Actions(), IsEmpty());
  EXPECT_EQ(fleet_.change(), Fleet::Change::kFailed);
}

TEST_F(FleetChangeTest, IsGivenUpWhenNewWorkersTakeTooLong) {
  Serve({Group(1, {0})});
  SetGroups({Group(1, {0, 1})});
  for (int attempt = 0; attempt < 2; ++attempt) {
    AdvanceToNext();  // the start timeout
    EXPECT_EQ(State(1), FleetState::kStopping);
    Exited(1, "signal 9 (Killed)");
    if (attempt == 0) AdvanceToNext();  // the back-off
  }
  EXPECT_EQ(fleet_.change(), Fleet::Change::kFailed);
  EXPECT_THAT(fleet_.change_error(), HasSubstr("not ready 1m after its start, ended: signal 9"));
}

TEST_F(FleetChangeTest, OldWorkersGoOnBeingRestartedAfterAFailedChange) {
  Serve({Group(1, {0})});
  SetGroups({Group(1, {0, 1})});
  Exited(1);
  AdvanceToNext();
  Exited(1);
  ASSERT_EQ(fleet_.change(), Fleet::Change::kFailed);
  Actions();
  Exited(0);
  EXPECT_THAT(Actions(), ElementsAre("start 0"));
}

TEST_F(FleetChangeTest, FollowsAFailedOne) {
  Serve({Group(1, {0})});
  SetGroups({Group(1, {0, 1}), Group(1, {1})});
  Ready(2);
  Exited(1);
  AdvanceToNext();
  Exited(1);
  ASSERT_EQ(fleet_.change(), Fleet::Change::kFailed);
  ASSERT_EQ(State(2), FleetState::kDraining);
  Actions();

  // Worker 2 has the role that is asked for again, but is on its way out.
  SetGroups({Group(1, {1})});
  EXPECT_EQ(fleet_.change(), Fleet::Change::kInProgress);
  EXPECT_EQ(fleet_.change_error(), "");
  EXPECT_THAT(Actions(), ElementsAre("start 1"));
  EXPECT_EQ(fleet_.change_started(), 1);
  EXPECT_EQ(fleet_.change_stopped(), 1);
  Ready(1);
  EXPECT_THAT(Actions(), ElementsAre("drain 0"));
  Exited(0);
  EXPECT_EQ(fleet_.change(), Fleet::Change::kInProgress);
  Exited(2);
  EXPECT_EQ(fleet_.change(), Fleet::Change::kDone);
  EXPECT_THAT(Ids(), ElementsAre(1));
}

TEST_F(FleetChangeTest, GivesKeptWorkersAFreshCountOfFailedStarts) {
  SetGroups({Group(1, {0})});
  for (int i = 0; i < 3; ++i) {
    Exited(0);
    AdvanceToNext();
  }
  SetGroups({Group(1, {0}), Group(1, {1})});
  EXPECT_EQ(fleet_.change(), Fleet::Change::kInProgress);
  Exited(0);
  EXPECT_EQ(fleet_.change(), Fleet::Change::kInProgress);
  AdvanceToNext();
  Exited(0);
  EXPECT_EQ(fleet_.change(), Fleet::Change::kFailed);
  EXPECT_EQ(State(0), FleetState::kWaiting);  // it is tried on
}

TEST_F(FleetChangeTest, CanReplaceGroupsThatNeverWork) {
  SetGroups({Group(1, {0})});
  Exited(0);
  Actions();
  SetGroups({Group(1, {0}, 50)});
  EXPECT_THAT(Actions(), ElementsAre("start 1"));
  Ready(1);
  EXPECT_EQ(fleet_.change(), Fleet::Change::kDone);
  EXPECT_THAT(Ids(), ElementsAre(1));
}

TEST_F(FleetChangeTest, UsesANumberAgainOnlyWhenItIsFree) {
  Serve({Group(2, {0})});
  SetGroups({Group(2, {1})});
  EXPECT_THAT(Ids(), ElementsAre(0, 1, 2, 3));
  Ready(2);
  Ready(3);
  Exited(0);
  Exited(1);
  const uint32_t last = Incarnation(3);
  SetGroups({Group(2, {1}), Group(1, {0})});
  EXPECT_THAT(Ids(), ElementsAre(2, 3, 0));
  EXPECT_GT(Incarnation(0), last);
}

TEST_F(FleetChangeTest, RenewsTheWorkersOfOneDevice) {
  WorkerGroup elsewhere = Group(1, {0});
  elsewhere.device = 1;
  Serve({Group(2, {0, 1}), elsewhere});
  fleet_.Renew(0, now_);
  next_ = fleet_.Advance(now_);
  EXPECT_THAT(Actions(), ElementsAre("start 3", "start 4"));
  EXPECT_EQ(fleet_.change(), Fleet::Change::kInProgress);
  EXPECT_EQ(fleet_.Find(3)->role, Group(1, {0, 1}));
  EXPECT_FALSE(fleet_.Find(2)->outgoing);
  Ready(3);
  Ready(4);
  EXPECT_THAT(Actions(), ElementsAre("drain 0", "drain 1"));
}

TEST_F(FleetChangeTest, ThatSupersedesAnotherKeepsWhatBothWant) {
  Serve({Group(1, {0, 1})});
  SetGroups({Group(1, {0}), Group(1, {1})});
  EXPECT_THAT(Actions(), ElementsAre("start 1", "start 2"));
  SetGroups({Group(1, {1}), Group(1, {0, 1}, 50)});
  EXPECT_THAT(Actions(), ElementsAre("kill 1", "start 3"));
  EXPECT_EQ(fleet_.change(), Fleet::Change::kInProgress);
  Exited(1, "signal 9 (Killed)");
  Ready(2);
  EXPECT_FALSE(fleet_.switched());
  Ready(3);
  EXPECT_TRUE(fleet_.switched());
  EXPECT_THAT(Actions(), ElementsAre("drain 0"));
}

TEST_F(FleetChangeTest, BackToWhatServesEndsWhatWasBegun) {
  Serve({Group(1, {0, 1})});
  SetGroups({Group(1, {0}), Group(1, {1})});
  Ready(1);
  Actions();
  SetGroups({Group(1, {0, 1})});
  EXPECT_THAT(Actions(), ElementsAre("drain 1", "kill 2"));
  EXPECT_EQ(State(0), FleetState::kReady);
  Exited(2);
  Drained(1);
  Exited(1);
  EXPECT_EQ(fleet_.change(), Fleet::Change::kDone);
  EXPECT_THAT(Ids(), ElementsAre(0));
}

TEST_F(FleetChangeTest, GivesAStartThatWaitsForItsTurnItsTime) {
  Serve({Group(1, {0})});
  SetGroups({Group(2, {0})});
  now_ += options_.start_timeout - std::chrono::seconds(1);
  fleet_.StartDelayed(1, Incarnation(1), now_);
  now_ += std::chrono::seconds(2);
  Advance();
  EXPECT_EQ(State(1), FleetState::kStarting);
  now_ += std::chrono::seconds(3);
  Ready(1);
  EXPECT_EQ(fleet_.Find(1)->start_took, std::chrono::seconds(5)) << "since its turn came";
  EXPECT_TRUE(fleet_.Find(1)->served);
}

TEST_F(FleetChangeTest, FailsWhenAllIsStoppedBeforeTheSwitch) {
  Serve({Group(1, {0})});
  SetGroups({Group(1, {0, 1})});
  Actions();
  fleet_.StopAll(now_);
  Advance();
  EXPECT_EQ(fleet_.change(), Fleet::Change::kFailed);
  EXPECT_EQ(fleet_.change_error(), "all workers are being stopped");
  EXPECT_THAT(Actions(), ElementsAre("drain 0", "kill 1"));
}

}  // namespace
}  // namespace escan
