#include "mps/mps_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mps/mps_fixture.h"

namespace escan {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Duration kSoon = std::chrono::milliseconds(50);

constexpr pid_t kNobody = 99999999;  // more than a kernel gives out

std::string Text(const absl::Status& status) { return std::string(status.message()); }

TEST(ParsePids, TakesOneALineWithOrWithoutText) {
  EXPECT_THAT(*ParsePids("12\n345\n"), ElementsAre(12, 345));
  EXPECT_THAT(*ParsePids("  12 /usr/bin/python\r\nPID 345 ACTIVE\nPID: 6"),
              ElementsAre(12, 345, 6));
  EXPECT_THAT(*ParsePids("PID\n12\n"), ElementsAre(12));
}

TEST(ParsePids, KnowsTheWaysToSayNone) {
  for (const char* text : {"", "\n", "0", "No servers", "no clients are connected"}) {
    EXPECT_THAT(*ParsePids(text), IsEmpty()) << text;
  }
}

TEST(ParsePids, RefusesWhatItDoesNotUnderstand) {
  for (const char* text : {"%$ garbage", "-5", "12x", "99999999999999"}) {
    EXPECT_EQ(ParsePids(text).status().code(), absl::StatusCode::kInternal) << text;
    EXPECT_THAT(Text(ParsePids(text).status()), HasSubstr(text));
  }
}

TEST(MpsControl, TellsServersAndTheirClients) {
  const MpsFolder folder;
  const ChildProcess daemon = folder.StartDaemon();
  const MpsControl control = folder.Control();
  EXPECT_THAT(*control.Servers(), IsEmpty());
  folder.SetClients({11, 12});
  const auto servers = control.Servers();
  ASSERT_TRUE(servers.ok()) << servers.status();
  ASSERT_THAT(*servers, SizeIs(1));
  EXPECT_THAT(*control.Clients(servers->front()), ElementsAre(11, 12));
  EXPECT_TRUE(folder.WasTold("get_client_list " + std::to_string(servers->front())));
  EXPECT_TRUE(control.Quit().ok());
}

TEST(MpsControl, TerminatesAClientOrSaysWhyNot) {
  const MpsFolder folder;
  const ChildProcess daemon = folder.StartDaemon();
  EXPECT_TRUE(folder.Control().TerminateClient(21, kNobody, std::chrono::seconds(30)).ok());
  EXPECT_TRUE(folder.WasTold("terminate_client 21 99999999 dead"));
  folder.SetMode("refuse-terminate");
  const absl::Status refused =
      folder.Control().TerminateClient(21, kNobody, std::chrono::seconds(30));
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Text(refused),
              EndsWith("terminate_client 21 99999999: it said \"Client not found\""));
}

TEST(MpsControl, SaysThatNoDaemonAnswers) {
  const MpsFolder folder;
  const absl::Status status = folder.Control().Servers().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Text(status), EndsWith("nvidia-cuda-mps-control: get_server_list: exit status 1, it "
                                     "said \"Cannot find MPS control daemon process\""));
}

TEST(MpsControl, KillsAProgramThatHangs) {
  const MpsFolder folder;
  folder.SetMode("hang");
  const absl::Status status = folder.Control(kSoon).Servers().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(Text(status), HasSubstr("get_server_list: no answer within 50ms"));
}

TEST(MpsControl, BoundsWhatAProgramPrints) {
  const MpsFolder folder;
  folder.SetMode("flood");
  const absl::Status status = folder.Control(kSoon).Servers().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(Text(status), SizeIs(testing::Lt(1000u)));
}

TEST(MpsControl, QuotesWhatItCannotUnderstand) {
  const MpsFolder folder;
  folder.SetMode("garbage");
  const absl::Status status = folder.Control().Clients(7).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(Text(status),
              EndsWith("get_client_list 7: expected process ids, found \"%$ garbage\""));
}

TEST(MpsControl, NamesAProgramThatIsMissing) {
  for (const char* program : {"/nonexistent/mps", "escan-no-such-program"}) {
    const absl::Status status = MpsControl(program, {"/tmp/pipe", {}}, kSoon).Servers().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(Text(status), HasSubstr(program));
  }
}

}  // namespace
}  // namespace escan
