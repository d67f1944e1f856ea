#include "scheduling/timer_wheel.h"

#include <algorithm>

namespace escan {
namespace {

constexpr uint64_t BitsFrom(uint32_t bit) { return bit < 64 ? ~uint64_t{0} << bit : 0; }

}  // namespace

TimerWheel::TimerWheel(size_t slots) : timers_(slots) { heads_.fill(kNoSlot); }

void TimerWheel::Add(SlotId slot, TimePoint due) {
  if (due == TimePoint::max()) return;
  const uint32_t bucket = BucketOf(std::max(TickOf(due), tick_));
  Timer& timer = timers_[slot];
  timer = {.due = due, .previous = kNoSlot, .next = heads_[bucket], .bucket = bucket};
  if (timer.next != kNoSlot) timers_[timer.next].previous = slot;
  heads_[bucket] = slot;
  occupied_[bucket / 64] |= uint64_t{1} << (bucket % 64);
  occupied_words_ |= uint64_t{1} << (bucket / 64);
}

void TimerWheel::Remove(SlotId slot) {
  Timer& timer = timers_[slot];
  const uint32_t bucket = timer.bucket;
  if (bucket == kAbsent) return;
  timer.bucket = kAbsent;
  (timer.previous == kNoSlot ? heads_[bucket] : timers_[timer.previous].next) = timer.next;
  if (timer.next != kNoSlot) timers_[timer.next].previous = timer.previous;
  if (heads_[bucket] != kNoSlot) return;
  occupied_[bucket / 64] &= ~(uint64_t{1} << (bucket % 64));
  if (occupied_[bucket / 64] == 0) occupied_words_ &= ~(uint64_t{1} << (bucket / 64));
}

TimePoint TimerWheel::NextDue() const {
  const int64_t tick = NextOccupied(tick_);
  return tick == kNever ? TimePoint::max() : TimePoint((tick + 1) * kTick);
}

int64_t TimerWheel::NextOccupied(int64_t tick) const {
  if (occupied_words_ == 0) return kNever;
  const uint32_t start = BucketOf(tick);
  const uint32_t word = start / 64;
  const uint64_t here = occupied_[word] & BitsFrom(start % 64);
  uint32_t bucket;
  if (here != 0) {
    bucket = word * 64 + static_cast<uint32_t>(std::countr_zero(here));
  } else {
    // Later words first, then around to the beginning, which ends with the low bits of `word`.
    const uint64_t later = occupied_words_ & BitsFrom(word + 1);
    const auto found =
        static_cast<uint32_t>(std::countr_zero(later != 0 ? later : occupied_words_));
    bucket = found * 64 + static_cast<uint32_t>(std::countr_zero(occupied_[found]));
  }
  return tick + ((bucket - start) & (kBuckets - 1));
}

}  // namespace escan
