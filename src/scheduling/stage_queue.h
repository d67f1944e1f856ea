#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "escan/ids.h"
#include "escan/time.h"
#include "scheduling/urgency.h"

namespace escan {

// The samples that wait for one stage, in two orders: by urgency (a 4-ary heap with the position of
// every slot, so that any sample leaves in O(log n)) and by the time they were queued (a list
// through the slots). Allocates only when constructed. A sample that is no more urgent than those
// before it, as nearly all are, is pushed in O(1).
class StageQueue {
 public:
  // Holds slots in [0, slots), each at most once.
  explicit StageQueue(size_t slots);

  void Push(SlotId slot, const Urgency& urgency, TimePoint since);
  // For a sample that was dispatched already: it counts as the one that has waited longest.
  void PushOldest(SlotId slot, const Urgency& urgency, TimePoint since);
  void Remove(SlotId slot);

  bool contains(SlotId slot) const { return nodes_[slot].position != kAbsent; }
  bool empty() const { return heap_.empty(); }
  int size() const { return static_cast<int>(heap_.size()); }

  // Of a queue that is not empty.
  SlotId head() const { return heap_.front().slot; }
  const Urgency& head_urgency() const { return heap_.front().urgency; }
  TimePoint oldest_since() const { return nodes_[oldest_].since; }

  // When a sample in the queue was queued.
  TimePoint since(SlotId slot) const { return nodes_[slot].since; }

 private:
  static constexpr uint32_t kAbsent = UINT32_MAX;
  static constexpr size_t kArity = 4;

  struct Entry {
    Urgency urgency;
    SlotId slot;
  };
  struct Node {
    uint32_t position = kAbsent;  // in the heap
    SlotId older = kNoSlot;
    SlotId newer = kNoSlot;
    TimePoint since;
  };

  void PushHeap(SlotId slot, const Urgency& urgency);
  void RemoveHeap(uint32_t position);
  void SiftUp(size_t position, const Entry& entry);
  void Place(size_t position, const Entry& entry);

  std::vector<Entry> heap_;
  std::vector<Node> nodes_;
  SlotId oldest_ = kNoSlot;
  SlotId newest_ = kNoSlot;
};

}  // namespace escan
