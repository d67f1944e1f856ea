#pragma once

#include <map>
#include <utility>

#include "contracts/mutex.h"

namespace escan {

// On which devices workers prepare their stages at present. Shared by the engines of all cascades:
// thread-safe; does not block.
class Preparations {
 public:
  // That of one worker, for as long as this lives. The Preparations outlive it.
  class Entry {
   public:
    Entry(Preparations* of, int device) : of_(of), device_(device) { of_->Add(device_, 1); }
    Entry(Entry&& other) noexcept
        : of_(std::exchange(other.of_, nullptr)), device_(other.device_) {}
    Entry& operator=(Entry&&) = delete;
    ~Entry() {
      if (of_ != nullptr) of_->Add(device_, -1);
    }

   private:
    Preparations* of_;
    const int device_;
  };

  bool any(int device) const {
    const MutexLock lock(mutex_);
    const auto found = workers_.find(device);
    return found != workers_.end() && found->second > 0;
  }

 private:
  void Add(int device, int workers) {
    const MutexLock lock(mutex_);
    workers_[device] += workers;
  }

  mutable Mutex mutex_;
  std::map<int, int> workers_ ESCAN_GUARDED_BY(mutex_);  // by device
};

}  // namespace escan
