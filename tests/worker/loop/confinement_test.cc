#include "worker/loop/confinement.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

namespace escan {
namespace {

// Each test confines a process of its own.
bool Refused(long result) { return result == -1 && errno == EPERM; }

[[noreturn]] void End(bool as_expected) { _exit(as_expected ? 0 : 1); }

TEST(Confinement, ProgramsGainNoPrivileges) {
  EXPECT_EXIT(
      {
        const bool done = GiveUpPrivileges().ok();
        End(done && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(Confinement, NoThreadOpensASocketStartsAProgramOrLooksIntoAnother) {
  EXPECT_EXIT(
      {
        int ends[2];
        bool fine = socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0;
        fine = fine && GiveUpPrivileges().ok() && GiveUpNetworkAndPrograms().ok();
        std::thread([&fine] {
          for (const int family : {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK}) {
            fine = fine && Refused(socket(family, SOCK_STREAM, 0));
          }
          char* const arguments[] = {nullptr};
          fine = fine && Refused(execve("/bin/true", arguments, arguments));
          char byte = 0;
          const iovec own = {.iov_base = &byte, .iov_len = 1};
          fine = fine && Refused(process_vm_readv(getppid(), &own, 1, &own, 1, 0));
        }).join();
        // What was there before goes on.
        fine = fine && send(ends[0], "a", 1, 0) == 1;
        char received = 0;
        End(fine && recv(ends[1], &received, 1, 0) == 1 && received == 'a');
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace escan
