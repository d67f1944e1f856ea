#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "contracts/mutex.h"
#include "engine/engine_status.h"
#include "escan/time.h"

namespace escan {

// Where the engine's thread publishes what any thread may read of it without waiting for it. What
// every request changes, which is little, is published apart from the rest.
class StatusBoard {
 public:
  // How old what is read of the traffic may be, where the engine's thread runs.
  static constexpr Duration kPeriod = std::chrono::milliseconds(100);

  struct Traffic {
    std::vector<EngineStatus::Stage> stages;
    int requests = 0;
  };

  // --- the engine's thread
  // Requests or workers moved something: the traffic is to be published within kPeriod.
  void Touch() { due_ = std::min(due_, published_at_ + kPeriod); }
  // The same, at once.
  void TouchAtOnce() { due_ = TimePoint::min(); }
  // Workers, plans or settings changed: all is to be published at once.
  void TouchAll() {
    all_ = true;
    TouchAtOnce();
  }
  // When something is to be published next; TimePoint::max(): nothing happened.
  TimePoint due() const { return due_; }
  bool all_is_due() const { return all_; }

  // `rest`: all but the traffic, where that is due.
  void Publish(Traffic traffic, std::optional<EngineStatus> rest, TimePoint now) {
    auto new_traffic = std::make_shared<const Traffic>(std::move(traffic));
    std::shared_ptr<const EngineStatus> new_rest;
    if (rest.has_value()) new_rest = std::make_shared<const EngineStatus>(*std::move(rest));
    published_at_ = now;
    due_ = TimePoint::max();
    const MutexLock lock(mutex_);
    traffic_.swap(new_traffic);
    if (new_rest == nullptr) return;
    rest_.swap(new_rest);
    all_ = false;
  }

  // --- any thread, after the first Publish()
  EngineStatus Read() const {
    std::shared_ptr<const Traffic> traffic;
    std::shared_ptr<const EngineStatus> rest;
    {
      const MutexLock lock(mutex_);
      traffic = traffic_;
      rest = rest_;
    }
    EngineStatus status = *rest;
    status.stages = traffic->stages;
    status.requests = traffic->requests;
    return status;
  }

 private:
  bool all_ = true;
  TimePoint published_at_{};
  TimePoint due_ = TimePoint::max();
  mutable Mutex mutex_;
  std::shared_ptr<const Traffic> traffic_ ESCAN_GUARDED_BY(mutex_);
  std::shared_ptr<const EngineStatus> rest_ ESCAN_GUARDED_BY(mutex_);
};

}  // namespace escan
