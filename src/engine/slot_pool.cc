#include "engine/slot_pool.h"

namespace escan {

SlotPool::SlotPool(int slots)
    : next_(static_cast<size_t>(slots)), chains_(static_cast<size_t>(slots)) {
  for (size_t i = 0; i < next_.size(); ++i) {
    next_[i] = i + 1 < next_.size() ? static_cast<SlotId>(i + 1) : kNoSlot;
  }
}

std::optional<RequestKey> SlotPool::Acquire(int rows) {
  MutexLock lock(mutex_);
  if (slots() - in_use_ < rows) return std::nullopt;
  const SlotId first = free_;
  SlotId last = first;
  for (int i = 1; i < rows; ++i) last = next_[last];
  free_ = next_[last];
  next_[last] = kNoSlot;
  in_use_ += rows;

  Chain& chain = chains_[first];
  chain.last = last;
  chain.rows = rows;
  chain.holders.store(1, std::memory_order_relaxed);
  return RequestKey{.first_slot = first, .id = ++last_id_};
}

void SlotPool::AddHolder(const RequestKey& key) {
  chains_[key.first_slot].holders.fetch_add(1, std::memory_order_relaxed);
}

void SlotPool::Drop(const RequestKey& key) {
  Chain& chain = chains_[key.first_slot];
  if (chain.holders.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  MutexLock lock(mutex_);
  next_[chain.last] = free_;
  free_ = key.first_slot;
  in_use_ -= chain.rows;
  if (in_use_ == 0) empty_.NotifyAll();
}

int SlotPool::in_use() const {
  MutexLock lock(mutex_);
  return in_use_;
}

bool SlotPool::WaitUntilEmpty(TimePoint deadline) {
  MutexLock lock(mutex_);
  while (in_use_ > 0) {
    if (!empty_.WaitUntil(mutex_, deadline)) return in_use_ == 0;
  }
  return true;
}

}  // namespace escan
