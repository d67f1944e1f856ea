#include "scheduling/survivor_lines.h"

namespace escan {

SurvivorLines::SurvivorLines(size_t slots) : places_(slots) {}

void SurvivorLines::Append(WorkerId worker, uint64_t batch, SlotId slot, int stage,
                           TimePoint since) {
  const auto index = static_cast<size_t>(worker);
  if (index >= lines_.size()) lines_.resize(index + 1);
  Line& line = lines_[index];
  places_[slot] = {.previous = line.tail,
                   .next = kNoSlot,
                   .stage = static_cast<int16_t>(stage),
                   .worker = worker,
                   .batch = batch,
                   .since = since};
  (line.tail == kNoSlot ? line.head : places_[line.tail].next) = slot;
  line.tail = slot;
}

void SurvivorLines::Remove(SlotId slot) {
  Place& place = places_[slot];
  Line& line = lines_[static_cast<size_t>(place.worker)];
  (place.previous == kNoSlot ? line.head : places_[place.previous].next) = place.next;
  (place.next == kNoSlot ? line.tail : places_[place.next].previous) = place.previous;
  place.stage = -1;
}

bool SurvivorLines::empty(WorkerId worker) const {
  const auto index = static_cast<size_t>(worker);
  return index >= lines_.size() || lines_[index].head == kNoSlot;
}

SlotId SurvivorLines::head(WorkerId worker) const {
  return lines_[static_cast<size_t>(worker)].head;
}

int SurvivorLines::head_stage(WorkerId worker) const { return places_[head(worker)].stage; }

uint64_t SurvivorLines::head_batch(WorkerId worker) const { return places_[head(worker)].batch; }

int SurvivorLines::HeadGroup(WorkerId worker, int limit) const {
  const Place& first = places_[head(worker)];
  int rows = 0;
  for (SlotId slot = head(worker); slot != kNoSlot && rows < limit; slot = places_[slot].next) {
    const Place& place = places_[slot];
    if (place.batch != first.batch || place.stage != first.stage) break;
    ++rows;
  }
  return rows;
}

}  // namespace escan
