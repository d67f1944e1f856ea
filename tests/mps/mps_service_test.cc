#include "mps/mps_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <utility>

#include "mps/mps_fixture.h"
#include "supervision/pidfd.h"

namespace escan {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Text(const absl::Status& status) { return std::string(status.message()); }

class MpsServiceTest : public ::testing::Test {
 protected:
  MpsService Managed(const char* program = FAKE_MPS_CONTROL) {
    auto daemon = MpsDaemon::Prepare(
        {.program = program, .directory = folder_.path(), .gpus = {"GPU-a"}, .times = times_});
    EXPECT_TRUE(daemon.ok()) << daemon.status();
    MpsControl control = (*daemon)->control();
    return MpsService(std::move(control), *std::move(daemon), times_);
  }
  MpsService External() { return MpsService(folder_.Control(times_.command), nullptr, times_); }

  // As its owner does; whether a daemon came back meanwhile.
  static bool TendUntil(MpsService& service, const std::function<bool()>& condition) {
    bool back = false;
    while (!condition()) {
      AwaitEnd(service.end_fd(), service.due());
      back |= service.Tend(Clock::now());
    }
    return back;
  }

  pid_t DaemonPid() const {
    pid_t pid = 0;
    std::ifstream(folder_.directories().pipe / "nvidia-cuda-mps-control.pid") >> pid;
    return pid;
  }

  const MpsFolder folder_;
  MpsTimes times_ = TestTimes();
};

// --- its own

TEST_F(MpsServiceTest, StartsItsOwnDaemonAndListsClients) {
  MpsService service = Managed();
  EXPECT_FALSE(service.availability().ok());
  ASSERT_TRUE(service.Start().ok());
  EXPECT_TRUE(service.availability().ok());
  EXPECT_TRUE(service.answers());
  EXPECT_THAT(service.servers(), IsEmpty());
  folder_.SetClients({11, 12});
  const auto clients = service.ListClients();
  ASSERT_TRUE(clients.ok()) << clients.status();
  ASSERT_THAT(*clients, SizeIs(2));
  EXPECT_EQ(clients->at(1).pid, 12);
  EXPECT_EQ(clients->at(1).server, service.servers().at(0));
  EXPECT_EQ(service.restarts(), 0);
}

TEST_F(MpsServiceTest, NamesAMissingProgramAndTheWayAroundIt) {
  const absl::Status status = Managed("escan-no-such-program").Start();
  EXPECT_EQ(Text(status),
            "mps: cannot execute escan-no-such-program: No such file or directory; `mps: {mode: "
            "off}` does without one");
}

TEST_F(MpsServiceTest, SaysWhyADaemonEndedAtItsStart) {
  folder_.SetMode("fail");
  EXPECT_THAT(Text(Managed().Start()), HasSubstr("exit status 3, it said \"no GPU was found\""));
}

TEST_F(MpsServiceTest, GivesUpADaemonThatNeverAnswers) {
  folder_.SetMode("silent");
  times_.start = std::chrono::milliseconds(10);
  EXPECT_THAT(Text(Managed().Start()),
              HasSubstr("was started, but: " FAKE_MPS_CONTROL ": get_server_list: exit status 1"));
}

TEST_F(MpsServiceTest, RestartsItsDaemonAsOftenAsItIsKilled) {
  MpsService service = Managed();
  ASSERT_TRUE(service.Start().ok());
  for (int restart = 1; restart <= 3; ++restart) {
    ::kill(DaemonPid(), SIGKILL);
    const bool back = TendUntil(service, [&] { return service.restarts() == restart; });
    EXPECT_TRUE(back);
    EXPECT_TRUE(service.availability().ok());
  }
}

TEST_F(MpsServiceTest, IsUnavailableUntilItsDaemonCanBeStartedAgain) {
  MpsService service = Managed();
  ASSERT_TRUE(service.Start().ok());
  folder_.SetMode("fail");
  ::kill(DaemonPid(), SIGKILL);
  const auto failed = [&] {
    return Text(service.availability()).find("exit status 3") != std::string::npos;
  };
  EXPECT_FALSE(TendUntil(service, failed));
  EXPECT_EQ(service.availability().code(), absl::StatusCode::kUnavailable);
  folder_.SetMode("");
  EXPECT_TRUE(TendUntil(service, [&] { return service.availability().ok(); }));
  EXPECT_EQ(service.restarts(), 1);
}

TEST_F(MpsServiceTest, ReplacesItsDaemonWhenItNoLongerAnswers) {
  times_.command = std::chrono::milliseconds(100);
  MpsService service = Managed();
  ASSERT_TRUE(service.Start().ok());
  const auto old = ForeignProcess::Find(DaemonPid(), "nvidia-cuda-mps-control");
  ASSERT_TRUE(old);
  folder_.SetMode("hang");
  TendUntil(service, [&] { return old->ended(); });
  EXPECT_FALSE(service.answers());
  folder_.SetMode("");
  EXPECT_TRUE(TendUntil(service, [&] { return service.answers(); }));
}

TEST_F(MpsServiceTest, ForgivesOneSilence) {
  times_.command = std::chrono::milliseconds(200);
  MpsService service = Managed();
  ASSERT_TRUE(service.Start().ok());
  folder_.SetMode("hang");
  EXPECT_EQ(service.ListClients().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(service.answers());
  EXPECT_TRUE(service.availability().ok());
  folder_.SetMode("");
  EXPECT_FALSE(TendUntil(service, [&] { return service.answers(); }));
  EXPECT_EQ(service.restarts(), 0);
}

// --- somebody else's

TEST_F(MpsServiceTest, NeedsAnExternalDaemonThatAnswers) {
  const absl::Status status = External().Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Text(status),
              AllOf(HasSubstr("Cannot find MPS control daemon process"),
                    HasSubstr("answers in " + folder_.directories().pipe.string()),
                    HasSubstr("`mps: {mode: external}`"), HasSubstr("`mps: {mode: off}`")));
}

TEST_F(MpsServiceTest, JoinsAnExternalDaemonAndNeverStopsIt) {
  ChildProcess daemon = folder_.StartDaemon();
  {
    MpsService service = External();
    ASSERT_TRUE(service.Start().ok());
    EXPECT_EQ(service.end_fd(), -1);
    service.EndStaleServers();
  }
  EXPECT_FALSE(daemon.Reap());
  EXPECT_TRUE(folder_.Control().Servers().ok());
  EXPECT_FALSE(folder_.WasTold("quit"));
}

TEST_F(MpsServiceTest, NoticesThatAnExternalDaemonLeavesAndComesBack) {
  auto daemon = std::make_unique<ChildProcess>(folder_.StartDaemon());
  MpsService service = External();
  ASSERT_TRUE(service.Start().ok());
  daemon.reset();
  EXPECT_FALSE(TendUntil(service, [&] { return !service.availability().ok(); }));
  EXPECT_THAT(Text(service.availability()), HasSubstr("Cannot find MPS control daemon process"));
  std::filesystem::remove_all(folder_.directories().pipe);
  const ChildProcess successor = folder_.StartDaemon();
  EXPECT_TRUE(TendUntil(service, [&] { return service.availability().ok(); }));
  EXPECT_EQ(service.restarts(), 1);
}

}  // namespace
}  // namespace escan
