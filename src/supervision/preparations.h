#pragma once

#include <map>
#include <utility>

#include "contracts/mutex.h"
#include "escan/time.h"

namespace escan {

// On which devices workers prepare their stages, which may hold up those that serve there. Shared
// by the engines of all cascades: thread-safe; does not block.
class Preparations {
 public:
  // What began while one prepared is held up for so long after the last one's end, at most.
  static constexpr Duration kEcho = std::chrono::seconds(10);

  // That of one worker, for as long as this lives. The Preparations outlive it.
  class Entry {
   public:
    Entry(Preparations* of, int device) : of_(of), device_(device) { of_->Begin(device_); }
    Entry(Entry&& other) noexcept
        : of_(std::exchange(other.of_, nullptr)), device_(other.device_) {}
    Entry& operator=(Entry&&) = delete;
    ~Entry() {
      if (of_ != nullptr) of_->End(device_);
    }

   private:
    Preparations* of_;
    const int device_;
  };

  // Whether some do so at `now`, or did within kEcho.
  bool Disturb(int device, TimePoint now) const {
    const MutexLock lock(mutex_);
    const auto found = devices_.find(device);
    if (found == devices_.end()) return false;
    return found->second.workers > 0 || now < found->second.last_end + kEcho;
  }

 private:
  struct OnDevice {
    int workers = 0;
    TimePoint last_end{};
  };

  void Begin(int device) {
    const MutexLock lock(mutex_);
    ++devices_[device].workers;
  }
  void End(int device) {
    const MutexLock lock(mutex_);
    --devices_[device].workers;
    devices_[device].last_end = Clock::now();
  }

  mutable Mutex mutex_;
  std::map<int, OnDevice> devices_ ESCAN_GUARDED_BY(mutex_);
};

}  // namespace escan
