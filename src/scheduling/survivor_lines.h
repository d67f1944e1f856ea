#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "escan/ids.h"
#include "escan/time.h"

namespace escan {

// The samples that wait for one particular worker, because the batch they were in is not regrouped:
// a line a worker, in which the survivors of one batch stand together. A sample stands in at most
// one line. Allocates only when constructed and for a new worker.
class SurvivorLines {
 public:
  explicit SurvivorLines(size_t slots);

  void Append(WorkerId worker, uint64_t batch, SlotId slot, int stage, TimePoint since);
  void Remove(SlotId slot);

  bool contains(SlotId slot, int stage) const { return places_[slot].stage == stage; }
  TimePoint since(SlotId slot) const { return places_[slot].since; }

  bool empty(WorkerId worker) const;
  // Of a line that is not empty.
  SlotId head(WorkerId worker) const;
  int head_stage(WorkerId worker) const;
  uint64_t head_batch(WorkerId worker) const;
  // How many samples at the head go on together, at most `limit`.
  int HeadGroup(WorkerId worker, int limit) const;

 private:
  struct Place {
    SlotId previous = kNoSlot;
    SlotId next = kNoSlot;
    int16_t stage = -1;  // -1: in no line
    WorkerId worker = -1;
    uint64_t batch = 0;
    TimePoint since;
  };
  struct Line {
    SlotId head = kNoSlot;
    SlotId tail = kNoSlot;
  };

  std::vector<Place> places_;
  std::vector<Line> lines_;  // by worker
};

}  // namespace escan
