#include "worker/cuda/completion_waiter.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <utility>

#include "worker/cuda/gpu_status.h"

namespace escan {
namespace {

constexpr Duration kSpin = std::chrono::microseconds(50);
// Sleep ends so much before the expected end: what a timer and a wake-up take, and some.
constexpr Duration kWakeUp = std::chrono::microseconds(30);
// The driver may tell nobody of an error of the device, so a blocked wait looks this often.
constexpr Duration kLook = std::chrono::milliseconds(100);
constexpr unsigned long kTimerSlackNs = 1000;

// True when an event has happened, false when it has not yet.
absl::StatusOr<bool> Query(cudaEvent_t event) {
  const cudaError_t error = cudaEventQuery(event);
  if (error == cudaSuccess) return true;
  if (error != cudaErrorNotReady) return GpuStatus(error, "compute a batch");
  // Else the next check of libtorch takes it for an error of its own.
  (void)cudaGetLastError();
  return false;
}

// Sleeps until one of the descriptors is readable (or hung up; -1: none), at most until `until`.
// Tells whether the first is.
bool Poll(int fd, int second_fd, TimePoint until) {
  const Duration left = std::max(until - Clock::now(), Duration::zero());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  const timespec timeout = {.tv_sec = seconds.count(),
                            .tv_nsec = std::chrono::nanoseconds(left - seconds).count()};
  std::array<pollfd, 2> descriptors = {{{.fd = fd, .events = POLLIN, .revents = 0},
                                        {.fd = second_fd, .events = POLLIN, .revents = 0}}};
  return ::ppoll(descriptors.data(), descriptors.size(), &timeout, nullptr) > 0 &&
         descriptors[0].revents != 0;
}

}  // namespace

absl::StatusOr<CompletionWaiter> CompletionWaiter::Create() {
  absl::StatusOr<std::unique_ptr<EventNotifier>> notifier = EventNotifier::Create();
  if (!notifier.ok()) return notifier.status();
  ::prctl(PR_SET_TIMERSLACK, kTimerSlackNs);
  return CompletionWaiter(*std::move(notifier));
}

absl::StatusOr<WaitEnd> CompletionWaiter::Await(cudaEvent_t event, TimePoint expected, int fd) {
  const absl::StatusOr<WaitEnd> end = AwaitEvent(event, expected, fd);
  if (end.ok() && *end != WaitEnd::kReadable) notified_of_ = nullptr;
  return end;
}

absl::StatusOr<WaitEnd> CompletionWaiter::AwaitEvent(cudaEvent_t event, TimePoint expected,
                                                     int fd) {
  absl::StatusOr<bool> done = Query(event);
  if (!done.ok()) return done.status();
  if (*done) return WaitEnd::kWasDone;
  const TimePoint wake_up = expected - kWakeUp;
  if (Clock::now() < wake_up) {
    if (Poll(fd, /*second_fd=*/-1, wake_up)) return WaitEnd::kReadable;
    done = Query(event);
    if (!done.ok()) return done.status();
    if (*done) return WaitEnd::kDoneLate;
  }
  bool readable = false;
  done = Spin(event, fd, &readable);
  if (!done.ok()) return done.status();
  if (*done) return WaitEnd::kDone;
  return readable ? WaitEnd::kReadable : Block(event, fd);
}

absl::StatusOr<bool> CompletionWaiter::Spin(cudaEvent_t event, int fd, bool* readable) {
  const TimePoint end = Clock::now() + kSpin;
  do {
    const absl::StatusOr<bool> done = Query(event);
    if (!done.ok() || *done) return done;
    *readable = fd >= 0 && Poll(fd, /*second_fd=*/-1, TimePoint{});
  } while (!*readable && Clock::now() < end);
  return false;
}

absl::StatusOr<WaitEnd> CompletionWaiter::Block(cudaEvent_t event, int fd) {
  if (notified_of_ != event) notifier_->NotifyOf(event);
  notified_of_ = event;
  for (;;) {
    const bool readable = Poll(fd, notifier_->fd(), Clock::now() + kLook);
    eventfd_t count = 0;
    ::eventfd_read(notifier_->fd(), &count);
    const absl::StatusOr<bool> done = Query(event);
    if (!done.ok()) return done.status();
    if (*done) return WaitEnd::kDone;
    if (readable) return WaitEnd::kReadable;
  }
}

}  // namespace escan
