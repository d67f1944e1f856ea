#include "server/listening/listening_sockets.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/listening/raw_connection.h"
#include "server/test_daemon.h"

namespace escan {
namespace {

using testing::HasSubstr;

bool HasIpv6() { return BindSockets("[::1]:0").ok(); }

std::string PortOf(const ListeningSockets& bound) {
  return bound.address.substr(bound.address.rfind(':'));
}

TEST(ListeningSockets, AnAddressOfOneFamilyIsOfNoOther) {
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no IPv6";
  const absl::StatusOr<ListeningSockets> bound = BindSockets("[::1]:0");
  ASSERT_TRUE(StartListening(*bound).ok());
  EXPECT_EQ(bound->address, "[::1]" + PortOf(*bound));
  EXPECT_TRUE(RawConnection(bound->address).connected());
  EXPECT_FALSE(RawConnection("127.0.0.1" + PortOf(*bound)).connected());
}

TEST(ListeningSockets, WildcardsAreOfBothFamilies) {
  for (const std::string host : {"0.0.0.0", "[::]"}) {
    if (host == "[::]" && !HasIpv6()) continue;
    const absl::StatusOr<ListeningSockets> bound = BindSockets(host + ":0");
    ASSERT_TRUE(bound.ok()) << bound.status();
    EXPECT_EQ(bound->address, host + PortOf(*bound));
    ASSERT_TRUE(StartListening(*bound).ok());
    EXPECT_TRUE(RawConnection("127.0.0.1" + PortOf(*bound)).connected()) << host;
    EXPECT_EQ(RawConnection("[::1]" + PortOf(*bound)).connected(), HasIpv6()) << host;
  }
}

TEST(ListeningSockets, NobodyIsLetInBeforeItListens) {
  const absl::StatusOr<ListeningSockets> bound = BindSockets("127.0.0.1:0");
  ASSERT_TRUE(bound.ok());
  EXPECT_FALSE(RawConnection(bound->address).connected());
}

TEST(ListeningSockets, AUnixSocketWhoseFileExistsIsTaken) {
  const TemporaryFolder folder;
  const std::string address = "unix:" + (folder.path() / "socket").string();
  ASSERT_TRUE(BindSockets(address).ok());
  const absl::Status taken = BindSockets(address).status();
  EXPECT_EQ(taken.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(taken.message(), "cannot listen on " + address + ": Address already in use");
}

TEST(ListeningSockets, ATakenWildcardIsAnError) {
  const absl::StatusOr<ListeningSockets> first = BindSockets("0.0.0.0:0");
  ASSERT_TRUE(StartListening(*first).ok());
  const absl::Status taken = BindSockets(first->address).status();
  EXPECT_EQ(taken.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(taken.message()), HasSubstr("Address already in use"));
}

}  // namespace
}  // namespace escan
