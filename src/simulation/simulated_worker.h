#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "escan/cascade.h"
#include "escan/ids.h"
#include "escan/time.h"
#include "scheduling/scheduler.h"

namespace escan {

// The batches that one worker holds, in the order in which they came. It runs the first of them;
// the others wait for it.
class SimulatedWorker {
 public:
  struct HeldBatch {
    uint64_t sequence = 0;
    int stage = 0;
    int rows = 0;
    TimePoint begin;  // of its step
    std::array<SlotId, kMaxBatchRows> slots;

    std::span<const SlotId> samples() const { return {slots.data(), static_cast<size_t>(rows)}; }
  };

  // `group` is its place in the plan; `credits` are the batches that it can hold.
  SimulatedWorker(int group, int credits) : group_(group), held_(static_cast<size_t>(credits)) {}

  int group() const { return group_; }
  bool holds_nothing() const { return count_ == 0; }

  void Add(const Batch& batch) {
    HeldBatch& held = held_[(first_ + count_++) % held_.size()];
    held.sequence = batch.sequence;
    held.stage = batch.stage;
    held.rows = static_cast<int>(batch.slots.size());
    std::ranges::copy(batch.slots, held.slots.begin());
  }
  // The batch that runs. The worker must hold one.
  HeldBatch& first() { return held_[first_]; }
  // It is done. It stays readable until the next Add.
  void RemoveFirst() {
    first_ = (first_ + 1) % held_.size();
    --count_;
  }

 private:
  int group_;
  std::vector<HeldBatch> held_;  // a ring
  size_t first_ = 0;
  size_t count_ = 0;
};

}  // namespace escan
