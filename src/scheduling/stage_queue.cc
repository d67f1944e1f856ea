#include "scheduling/stage_queue.h"

#include <algorithm>

namespace escan {

StageQueue::StageQueue(size_t slots) : nodes_(slots) { heap_.reserve(slots); }

void StageQueue::Push(SlotId slot, const Urgency& urgency, TimePoint since) {
  Node& node = nodes_[slot];
  node.since = since;
  node.older = newest_;
  node.newer = kNoSlot;
  (newest_ == kNoSlot ? oldest_ : nodes_[newest_].newer) = slot;
  newest_ = slot;
  PushHeap(slot, urgency);
}

void StageQueue::PushOldest(SlotId slot, const Urgency& urgency, TimePoint since) {
  Node& node = nodes_[slot];
  node.since = oldest_ == kNoSlot ? since : std::min(since, nodes_[oldest_].since);
  node.older = kNoSlot;
  node.newer = oldest_;
  (oldest_ == kNoSlot ? newest_ : nodes_[oldest_].older) = slot;
  oldest_ = slot;
  PushHeap(slot, urgency);
}

void StageQueue::Remove(SlotId slot) {
  Node& node = nodes_[slot];
  (node.older == kNoSlot ? oldest_ : nodes_[node.older].newer) = node.newer;
  (node.newer == kNoSlot ? newest_ : nodes_[node.newer].older) = node.older;
  RemoveHeap(node.position);
  node.position = kAbsent;
}

void StageQueue::PushHeap(SlotId slot, const Urgency& urgency) {
  const Entry entry{urgency, slot};
  heap_.push_back(entry);
  SiftUp(heap_.size() - 1, entry);
}

// The hole sinks to a leaf and the last entry, which belongs near the bottom, rises from there:
// fewer comparisons than sinking the last entry from the hole.
void StageQueue::RemoveHeap(uint32_t position) {
  const Entry last = heap_.back();
  heap_.pop_back();
  const size_t size = heap_.size();
  if (position == size) return;
  size_t hole = position;
  for (;;) {
    const size_t first = kArity * hole + 1;
    if (first >= size) break;
    size_t least = first;
    for (size_t child = first + 1; child < std::min(first + kArity, size); ++child) {
      if (heap_[child].urgency < heap_[least].urgency) least = child;
    }
    Place(hole, heap_[least]);
    hole = least;
  }
  SiftUp(hole, last);
}

void StageQueue::SiftUp(size_t position, const Entry& entry) {
  while (position > 0) {
    const size_t parent = (position - 1) / kArity;
    if (!(entry.urgency < heap_[parent].urgency)) break;
    Place(position, heap_[parent]);
    position = parent;
  }
  Place(position, entry);
}

void StageQueue::Place(size_t position, const Entry& entry) {
  heap_[position] = entry;
  nodes_[entry.slot].position = static_cast<uint32_t>(position);
}

}  // namespace escan
