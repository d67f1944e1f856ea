#include "server/listening/address_check.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc/unique_fd.h"

namespace escan {
namespace {

using testing::HasSubstr;

// A socket that listens on a free loopback port, and its address.
class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(fd_.get(), generic, size), 0);
    EXPECT_EQ(listen(fd_.get(), 1), 0);
    EXPECT_EQ(getsockname(fd_.get(), generic, &size), 0);
    address_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  }

  const std::string& address() const { return address_; }
  void Close() { fd_.reset(); }

 private:
  UniqueFd fd_;
  std::string address_;
};

TEST(AddressCheck, APortIsTakenWhileSomebodyListensOnIt) {
  Listener listener;
  const absl::Status taken = CheckAddressIsFree(listener.address());
  EXPECT_EQ(taken.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(std::string(taken.message()),
            "cannot listen on " + listener.address() + ": Address already in use");
  listener.Close();
  EXPECT_TRUE(CheckAddressIsFree(listener.address()).ok());
}

TEST(AddressCheck, ANameIsTakenWhereOneOfItsAddressesIs) {
  const Listener listener;
  const std::string port = listener.address().substr(listener.address().rfind(':'));
  EXPECT_EQ(CheckAddressIsFree("localhost" + port).code(), absl::StatusCode::kUnavailable);
}

TEST(AddressCheck, AnAddressOfAnotherMachineIsRefused) {
  // 192.0.2.0/24 belongs to nobody: RFC 5737.
  const absl::Status status = CheckAddressIsFree("192.0.2.1:0");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("192.0.2.1:0"));
}

TEST(AddressCheck, NamesAndPortsThatTheSystemChoosesAreFree) {
  EXPECT_TRUE(CheckAddressIsFree("localhost:0").ok());
  EXPECT_TRUE(CheckAddressIsFree("0.0.0.0:0").ok());
}

TEST(AddressCheck, BracketsAreNoPartOfAnIpv6Address) {
  EXPECT_THAT(std::string(CheckAddressIsFree("[2001:db8::1]:0").message()),
              testing::Not(HasSubstr("Name or service not known")));
}

}  // namespace
}  // namespace escan
