#pragma once

#include <optional>
#include <span>
#include <vector>

#include "escan/ids.h"

namespace escan {

// The slots of a cascade, cut once and for all into chains for requests of equal size. Slots that
// are too few for another request are left out, so that those of all requests are all there are.
class SlotChains {
 public:
  // `slots` >= `rows` >= 1.
  SlotChains(int slots, int rows) {
    for (int first = 0; first + rows <= slots; first += rows) {
      free_.push_back(static_cast<SlotId>(first));
      for (int row = 1; row < rows; ++row) next_.push_back(static_cast<SlotId>(first + row));
      next_.push_back(kNoSlot);
    }
  }

  // [slot]: that of the next row; kNoSlot after the last.
  std::span<const SlotId> next() const { return next_; }

  // The first slot of a chain; nullopt when all are taken.
  std::optional<SlotId> Take() {
    if (free_.empty()) return std::nullopt;
    const SlotId first = free_.back();
    free_.pop_back();
    return first;
  }
  void Free(SlotId first) { free_.push_back(first); }

 private:
  std::vector<SlotId> next_;
  std::vector<SlotId> free_;  // first slots
};

}  // namespace escan
