#pragma once

#include <atomic>
#include <string>

#include "contracts/mutex.h"

namespace escan {

// Whether a cascade can be answered, and if not, why. Published by the engine's thread, read by
// any; ready() and failed() take no lock.
class Readiness {
 public:
  struct State {
    std::string reason;   // why it is not ready, for people; empty: it is
    bool failed = false;  // its workers do not merely start: starts of them failed
  };

  explicit Readiness(State state) { Publish(std::move(state)); }

  // Whether the state is another than before.
  bool Publish(State state);

  bool ready() const { return ready_.load(std::memory_order_acquire); }
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  std::string reason() const;

 private:
  std::atomic<bool> ready_{false};
  std::atomic<bool> failed_{false};
  mutable Mutex mutex_;
  std::string reason_ ESCAN_GUARDED_BY(mutex_);
};

}  // namespace escan
