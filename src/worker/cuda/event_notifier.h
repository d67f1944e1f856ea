#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "contracts/mutex.h"
#include "ipc/unique_fd.h"

namespace escan {

// Makes a descriptor readable when an event has happened, by a thread of its own that sleeps in the
// driver. A host function behind the event on a stream would need no thread, but streams share
// hardware queues: it was seen to be called only after the graph that was enqueued since.
// Owned and called by one thread. The destructor waits for the event that was last named.
class EventNotifier {
 public:
  static absl::StatusOr<std::unique_ptr<EventNotifier>> Create();
  ~EventNotifier();

  // fd() becomes readable when `event`, which MakeEvent() made and was recorded, has happened or
  // the device is in error. Of several events it may be told of the last one only. Does not block.
  void NotifyOf(cudaEvent_t event);
  // An eventfd, to be read by the caller; may be readable without a reason, too.
  int fd() const { return notification_.get(); }

 private:
  explicit EventNotifier(UniqueFd notification);
  void Run();

  const UniqueFd notification_;
  Mutex mutex_;
  CondVar wake_;
  cudaEvent_t event_ ESCAN_GUARDED_BY(mutex_) = nullptr;
  uint64_t named_ ESCAN_GUARDED_BY(mutex_) = 0;  // events so far
  bool stopping_ ESCAN_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace escan
