#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "contracts/mutex.h"
#include "engine/completion.h"
#include "ipc/unique_fd.h"

namespace escan {

// What other threads want of the engine's thread. Posting never blocks; a system call is made only
// when the engine's thread sleeps. Bounded: a request has a slot and posts at most twice, and
// callers of Call wait for the answer.
class Mailbox {
 public:
  struct RequestEvent {
    enum class Kind { kSubmit, kCancel };
    Kind kind = Kind::kSubmit;
    Admission admission;  // of a cancellation only the key
    Completion* completion = nullptr;
  };
  struct Contents {
    std::vector<RequestEvent> requests;
    std::vector<std::function<void()>> calls;
  };

  static absl::StatusOr<std::unique_ptr<Mailbox>> Create();

  // --- any thread; false once closed
  bool Post(const RequestEvent& event);
  bool Post(std::function<void()> call);

  // --- the engine's thread
  // Swaps what waits with `contents`, which must be empty.
  void Take(Contents& contents);
  // True when nothing waits: from now on a Post makes fd() readable. Else look again first.
  bool PrepareToSleep();
  void Woken();
  void Close();
  int fd() const { return event_.get(); }

 private:
  explicit Mailbox(UniqueFd event) : event_(std::move(event)) {}
  template <typename Add>
  bool PostWith(Add add);

  UniqueFd event_;
  Mutex mutex_;
  Contents waiting_ ESCAN_GUARDED_BY(mutex_);
  bool sleeping_ ESCAN_GUARDED_BY(mutex_) = false;
  bool closed_ ESCAN_GUARDED_BY(mutex_) = false;
};

}  // namespace escan
