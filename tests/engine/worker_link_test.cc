#include "engine/worker_link.h"

#include <poll.h>

#include <csignal>
#include <optional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "supervision/misbehaving_worker.h"

namespace escan {
namespace {

class WorkerLinkTest : public testing::Test {
 protected:
  static WorkerLink Start(const std::string& mode, WorkerHost* host = Host()) {
    const SlabLayout layout{.slots = 1, .stride = 64};
    const Slab slab = *Slab::Create(layout);
    return WorkerLink(
        host,
        {.process = *WorkerProcess::Spawn(MisbehavingWorker(mode),
                                          {.slots = layout.slots, .stride = layout.stride}, slab),
         .oom_kills = OomKillCounter()},
        {.worker = 0, .incarnation = 1});
  }
  static WorkerHost* Host() {
    static PlainWorkerHost host(WorkerCommand{});
    return &host;
  }
  // What is to be believed of its rows once it has ended, and nobody outside killed it.
  static WorkerEnd EndOf(WorkerLink& link) {
    pollfd ended{.fd = link.process().pidfd(), .events = POLLIN};
    EXPECT_EQ(poll(&ended, 1, 60'000), 1);
    link.Ended(*link.process().Reap());
    return link.End(/*killed_from_outside=*/false);
  }

  const TimePoint now_{std::chrono::hours(1)};
};

TEST_F(WorkerLinkTest, IsNotLateBeforeItsFirstWord) {
  WorkerLink link = Start("never-ready");
  EXPECT_EQ(link.deadline(), TimePoint::max());
  link.Heard(now_);
  EXPECT_EQ(link.deadline(), now_ + kHeartbeatTimeout);
}

TEST_F(WorkerLinkTest, DisturbsItsNeighboursUntilItIsReadyOrGoneAndAWhileAfter) {
  PlainWorkerHost host((WorkerCommand()));
  const auto disturb = [&host](int device, Duration later) {
    return host.preparations().Disturb(device, Clock::now() + later);
  };
  constexpr Duration kLater = std::chrono::minutes(1);
  EXPECT_FALSE(disturb(0, Duration::zero()));
  WorkerLink link = Start("never-ready", &host);
  WorkerLink other = Start("never-ready", &host);
  EXPECT_TRUE(disturb(0, kLater));
  EXPECT_FALSE(disturb(1, kLater));
  link.Reported({.state = WorkerState::kLoading});
  link.Reported({.state = WorkerState::kReady});
  EXPECT_TRUE(disturb(0, kLater)) << "the other does";
  ::kill(other.process().pid(), SIGKILL);
  EndOf(other);
  EXPECT_FALSE(disturb(0, kLater));
  EXPECT_TRUE(disturb(0, Duration::zero())) << "what began meanwhile may not have come to its end";
}

TEST_F(WorkerLinkTest, IsLateSomeTimeAfterItClosedItsSocket) {
  WorkerLink link = Start("never-ready");
  link.SocketClosed(now_);
  EXPECT_FALSE(link.readable());
  EXPECT_EQ(link.deadline(), now_ + kHeartbeatTimeout);
  EXPECT_EQ(link.overdue_reason(), "it closed its socket and did not end");
}

TEST_F(WorkerLinkTest, MakesSuspectsOfItsRowsWhenItWasCondemned) {
  WorkerLink link = Start("never-ready");
  link.Condemn("it lied");
  link.Condemn("a later reason");
  EXPECT_EQ(EndOf(link), WorkerEnd::kSuspect);
  EXPECT_EQ(link.DescribeEnd(), "ended by the daemon because it lied");
}

TEST_F(WorkerLinkTest, CanBeCondemnedForWhatItsRowsHaveNoPartIn) {
  WorkerLink link = Start("never-ready");
  link.Condemn("it was wrong", WorkerEnd::kBlameless);
  EXPECT_EQ(EndOf(link), WorkerEnd::kBlameless);
}

TEST_F(WorkerLinkTest, BlamesNoRowWhenItWasRetired) {
  WorkerLink link = Start("never-ready");
  link.Retire();
  EXPECT_EQ(EndOf(link), WorkerEnd::kBlameless);
  EXPECT_TRUE(link.expected_to_end());
}

TEST_F(WorkerLinkTest, MakesSuspectsOfItsRowsWhenItsDeviceIsInError) {
  WorkerLink link = Start("never-ready");
  link.Expel(now_);
  link.Heard(now_ + std::chrono::minutes(1));
  EXPECT_EQ(link.deadline(), now_ + kHeartbeatTimeout) << "it still has to end in time";
  EXPECT_TRUE(link.expelled());
  EXPECT_FALSE(link.expected_to_end());
  link.process().Kill();
  EXPECT_EQ(EndOf(link), WorkerEnd::kSuspect);
}

TEST_F(WorkerLinkTest, BlamesNoRowWhenSomebodyElseKilledIt) {
  WorkerLink link = Start("never-ready");
  ::kill(link.process().pid(), SIGKILL);
  EXPECT_EQ(EndOf(link), WorkerEnd::kSuspect) << "it used up the memory, says the counter";
  EXPECT_TRUE(link.may_be_killed_from_outside());
  EXPECT_EQ(link.End(/*killed_from_outside=*/true), WorkerEnd::kBlameless);
  EXPECT_FALSE(link.readable());
}

TEST_F(WorkerLinkTest, MakesSuspectsOfItsRowsWhenItExitsByItself) {
  WorkerLink link = Start("die-at-start");
  EXPECT_EQ(EndOf(link), WorkerEnd::kSuspect);
  EXPECT_THAT(link.DescribeEnd(), testing::HasSubstr("exit status 7"));
}

}  // namespace
}  // namespace escan
