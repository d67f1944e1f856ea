#include "engine/readiness.h"

#include <utility>

namespace escan {

bool Readiness::Publish(State state) {
  const MutexLock lock(mutex_);
  const bool ready = state.reason.empty();
  if (state.reason == reason_ && state.failed == failed() && ready == this->ready()) return false;
  reason_ = std::move(state.reason);
  failed_.store(state.failed, std::memory_order_release);
  ready_.store(ready, std::memory_order_release);
  return true;
}

std::string Readiness::reason() const {
  const MutexLock lock(mutex_);
  return reason_;
}

}  // namespace escan
