#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "escan/ids.h"
#include "escan/time.h"

namespace escan {

// Timers of requests, by first slot: a hashed timing wheel (Varghese and Lauck 1987, scheme 6)
// whose buckets are lists through the slots. Adding and removing are O(1) and nothing is allocated
// after construction. A timer never fires early, and at most kTick late when Expire is called at
// NextDue().
class TimerWheel {
 public:
  static constexpr Duration kTick{int64_t{1} << 20};  // about 1 ms

  // Holds timers of slots in [0, slots), each at most once.
  explicit TimerWheel(size_t slots);

  // A timer of TimePoint::max() never fires.
  void Add(SlotId slot, TimePoint due);
  // Nothing happens when there is no such timer.
  void Remove(SlotId slot);

  // Removes each timer with due <= now, then calls `on_due(slot)` for it, which must neither add
  // nor remove another one. Time must not go backwards.
  template <typename OnDue>
  void Expire(TimePoint now, OnDue on_due) {
    const int64_t end = TickOf(now);
    if (end - tick_ >= kBuckets) tick_ = end - kBuckets + 1;
    for (int64_t tick = NextOccupied(tick_); tick <= end; tick = NextOccupied(tick + 1)) {
      SlotId next = heads_[BucketOf(tick)];
      while (next != kNoSlot) {
        const SlotId slot = next;
        next = timers_[slot].next;
        if (timers_[slot].due > now) continue;
        Remove(slot);
        on_due(slot);
      }
    }
    if (end > tick_) tick_ = end;
  }

  // When to call Expire next: not before the earliest timer is due, or one of its rounds around the
  // wheel is over. TimePoint::max() when there is no timer. As of the last Expire.
  TimePoint NextDue() const;

 private:
  static constexpr int64_t kBuckets = 64 * 64;
  static constexpr int64_t kNever = INT64_MAX;
  static constexpr uint32_t kAbsent = UINT32_MAX;

  struct Timer {
    TimePoint due;
    SlotId previous = kNoSlot;
    SlotId next = kNoSlot;
    uint32_t bucket = kAbsent;
  };

  static int64_t TickOf(TimePoint time) { return time.time_since_epoch() / kTick; }
  static uint32_t BucketOf(int64_t tick) { return static_cast<uint32_t>(tick & (kBuckets - 1)); }

  // The first tick in [tick, tick + kBuckets) whose bucket holds a timer; kNever when all are
  // empty.
  int64_t NextOccupied(int64_t tick) const;

  int64_t tick_ = 0;  // of the last Expire
  std::array<SlotId, kBuckets> heads_;
  std::array<uint64_t, 64> occupied_{};  // bit b of word w: bucket 64 w + b holds a timer
  uint64_t occupied_words_ = 0;          // bit w: word w is not zero
  std::vector<Timer> timers_;
};

}  // namespace escan
