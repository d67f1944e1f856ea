#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "contracts/mutex.h"
#include "engine/engine_status.h"
#include "escan/time.h"

namespace escan {

// Where the engine's thread publishes what any thread may read of it without waiting for it.
class StatusBoard {
 public:
  // How old what is read may be where the engine's thread runs.
  static constexpr Duration kPeriod = std::chrono::milliseconds(100);

  // --- the engine's thread
  // Something happened that changes the status: it is to be published within kPeriod.
  void Touch() { due_ = std::min(due_, published_at_ + kPeriod); }
  // The same, at once: workers, plans and settings are seen as soon as they are.
  void TouchAtOnce() { due_ = TimePoint::min(); }
  // When it is to be published next; TimePoint::max(): nothing happened.
  TimePoint due() const { return due_; }
  void Publish(EngineStatus status, TimePoint now) {
    auto latest = std::make_shared<const EngineStatus>(std::move(status));
    published_at_ = now;
    due_ = TimePoint::max();
    const MutexLock lock(mutex_);
    latest_.swap(latest);
  }

  // --- any thread; never null after the first Publish()
  std::shared_ptr<const EngineStatus> Read() const {
    const MutexLock lock(mutex_);
    return latest_;
  }

 private:
  TimePoint published_at_{};
  TimePoint due_ = TimePoint::max();
  mutable Mutex mutex_;
  std::shared_ptr<const EngineStatus> latest_ ESCAN_GUARDED_BY(mutex_);
};

}  // namespace escan
