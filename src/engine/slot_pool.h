#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "contracts/mutex.h"
#include "escan/ids.h"
#include "escan/time.h"
#include "scheduling/scheduler.h"

namespace escan {

// Which slots of the slab are free. A request takes a chain of slots, one a row, linked by next();
// the chain returns to the pool when its last holder has dropped it: the request's owner (outputs
// read) and, from submission on, the scheduler (no worker holds a row). Thread-safe; never blocks
// but for WaitUntilEmpty.
class SlotPool {
 public:
  explicit SlotPool(int slots);

  // A chain with one holder; nullopt when fewer than `rows` slots are free. `rows` >= 1.
  std::optional<RequestKey> Acquire(int rows);
  void AddHolder(const RequestKey& key);
  void Drop(const RequestKey& key);

  // The links of all chains; an element is constant while its chain is held.
  std::span<const SlotId> next() const { return next_; }
  int slots() const { return static_cast<int>(next_.size()); }
  int in_use() const;

  // False when slots were still in use at `deadline`.
  bool WaitUntilEmpty(TimePoint deadline);

 private:
  struct Chain {
    SlotId last = kNoSlot;
    int rows = 0;
    std::atomic<int> holders{0};
  };

  std::vector<SlotId> next_;   // of free slots: the free list
  std::vector<Chain> chains_;  // by first slot
  mutable Mutex mutex_;
  CondVar empty_;
  SlotId free_ ESCAN_GUARDED_BY(mutex_) = 0;
  int in_use_ ESCAN_GUARDED_BY(mutex_) = 0;
  uint64_t last_id_ ESCAN_GUARDED_BY(mutex_) = 0;
};

}  // namespace escan
