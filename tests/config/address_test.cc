#include "config/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace escan {
namespace {

using testing::HasSubstr;

TEST(ParseListenAddress, TakesNumericAddressesAndLocalhost) {
  for (const std::string text :
       {"127.0.0.1:8001", "0.0.0.0:0", "[::]:65535", "[::1]:8001", "localhost:8001"}) {
    const absl::StatusOr<std::string> address = ParseListenAddress(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(*address, text);
  }
}

TEST(ParseListenAddress, RefusesEverythingElse) {
  for (const std::string text :
       {"", "8001", ":8001", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:-1",
        "127.0.0.1:65536", "127.0.0.1: 80", "1.2.3:80", "::1:8001", "[::1:8001", "[127.0.0.1]:80",
        "[]:80", "[:80", "unix:/a", "example.org:80"}) {
    EXPECT_FALSE(ParseListenAddress(text).ok()) << text;
  }
}

TEST(ParseOptionalAddress, OffIsNoAddress) {
  EXPECT_EQ(*ParseOptionalAddress("off"), "");
  EXPECT_EQ(*ParseOptionalAddress(""), "");
  EXPECT_EQ(*ParseOptionalAddress("127.0.0.1:8002"), "127.0.0.1:8002");
  EXPECT_FALSE(ParseOptionalAddress("none").ok());
}

TEST(ParseAdminAddress, TakesUnixSocketsAndLoopback) {
  for (const std::string text : {"unix:/run/escan/admin.sock", "unix:admin.sock", "127.0.0.1:8003",
                                 "127.1.2.3:8003", "[::1]:8003", "localhost:8003"}) {
    const absl::StatusOr<std::string> address = ParseAdminAddress(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(*address, text);
  }
}

TEST(ParseAdminAddress, RefusesWhatOthersCanReach) {
  for (const std::string text : {"0.0.0.0:8003", "10.0.0.1:8003", "[::]:8003", "[2001:db8::1]:1"}) {
    EXPECT_THAT(std::string(ParseAdminAddress(text).status().message()),
                HasSubstr("can be reached from other machines"))
        << text;
  }
}

TEST(ParseAdminAddress, RefusesEverythingElse) {
  for (const std::string text : {"", "unix:", "/run/admin.sock", "unix-abstract:x", "8003"}) {
    EXPECT_FALSE(ParseAdminAddress(text).ok()) << text;
  }
  EXPECT_TRUE(ParseAdminAddress("unix:" + std::string(107, 'a')).ok());
  EXPECT_FALSE(ParseAdminAddress("unix:" + std::string(108, 'a')).ok());
}

TEST(UnixPathOf, IsWhatFollowsTheScheme) {
  EXPECT_EQ(UnixPathOf("unix:/run/escan/admin.sock"), "/run/escan/admin.sock");
  for (const std::string other : {"", "127.0.0.1:8003", "[::1]:8003", "unix-abstract:x"}) {
    EXPECT_EQ(UnixPathOf(other), std::nullopt) << other;
  }
}

}  // namespace
}  // namespace escan
