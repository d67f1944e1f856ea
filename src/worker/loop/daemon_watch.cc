#include "worker/loop/daemon_watch.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace escan {

DaemonWatch::DaemonWatch(int socket_fd, Options options)
    : socket_fd_(socket_fd),
      options_(std::move(options)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this] { Watch(); }) {}

DaemonWatch::~DaemonWatch() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

void DaemonWatch::Watch() {
  Event event = Event::kNone;
  TimePoint next_heartbeat = Clock::now() + options_.heartbeat_period;
  while (event == Event::kNone) {
    event = WaitUntil(next_heartbeat, /*watch_socket=*/true);
    if (event == Event::kNone && Clock::now() >= next_heartbeat) {
      options_.heartbeat();
      next_heartbeat = Clock::now() + options_.heartbeat_period;
    }
  }
  if (event == Event::kStopped) return;

  const TimePoint deadline = Clock::now() + options_.grace;
  while (event != Event::kStopped && Clock::now() < deadline) {
    event = WaitUntil(deadline, /*watch_socket=*/false);
  }
  if (event != Event::kStopped) options_.on_stuck();
}

DaemonWatch::Event DaemonWatch::WaitUntil(TimePoint deadline, bool watch_socket) const {
  std::array<pollfd, 2> descriptors = {{{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                                        {.fd = socket_fd_, .events = POLLRDHUP, .revents = 0}}};
  const Duration left = std::max(deadline - Clock::now(), Duration::zero());
  // Rounded up, so that a deadline less than a millisecond away is not polled for in a loop.
  const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(left);
  const int ready =
      ::poll(descriptors.data(), watch_socket ? 2 : 1, static_cast<int>(timeout.count()));
  if (ready <= 0) return Event::kNone;  // time is up, or a signal
  if (descriptors[0].revents != 0) return Event::kStopped;
  return Event::kDaemonGone;
}

}  // namespace escan
