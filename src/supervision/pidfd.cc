#include "supervision/pidfd.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace escan {

// System calls by number: in glibc 2.36 the header that declares them has no C linkage.
UniqueFd OpenPidfd(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

void SendSignal(int pidfd, int signal) {
  ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0);
}

bool AwaitEnd(int pidfd, TimePoint deadline) {
  pollfd waiting{.fd = pidfd, .events = POLLIN, .revents = 0};
  while (true) {
    const TimePoint now = Clock::now();
    const Duration left = std::min<Duration>(deadline > now ? deadline - now : Duration::zero(),
                                             std::chrono::hours(1));
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left);
    if (::poll(&waiting, 1, static_cast<int>(milliseconds.count())) > 0) return true;
    if (Clock::now() >= deadline) return false;
  }
}

}  // namespace escan
