#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "escan/time.h"
#include "worker/cuda/event_notifier.h"

namespace escan {

// How a wait ended.
enum class WaitEnd {
  kReadable,  // before the event, by the descriptor
  kDone,      // when the event happened
  kDoneLate,  // the event had happened when the sleep until shortly before its expected time ended
  kWasDone,   // the event had happened before
};

// Waits for what the GPU computes without burning a core: sleeps until shortly before the time at
// which the end is expected, spins for 50 µs at most, then blocks. Belongs to the thread that made
// it, whose timers it makes precise.
class CompletionWaiter {
 public:
  static absl::StatusOr<CompletionWaiter> Create();

  // Returns once `event` has happened, or `fd` (-1: none) became readable, or was hung up, before.
  // The error is the device's, with which the event will never happen.
  absl::StatusOr<WaitEnd> Await(cudaEvent_t event, TimePoint expected, int fd);

 private:
  explicit CompletionWaiter(std::unique_ptr<EventNotifier> notifier)
      : notifier_(std::move(notifier)) {}

  absl::StatusOr<WaitEnd> AwaitEvent(cudaEvent_t event, TimePoint expected, int fd);
  // False: not yet done, and `fd` is readable where that is told, else the time was over.
  absl::StatusOr<bool> Spin(cudaEvent_t event, int fd, bool* readable);
  absl::StatusOr<WaitEnd> Block(cudaEvent_t event, int fd);

  std::unique_ptr<EventNotifier> notifier_;
  cudaEvent_t notified_of_ = nullptr;  // what the notifier was told to wait for, until it is done
};

}  // namespace escan
