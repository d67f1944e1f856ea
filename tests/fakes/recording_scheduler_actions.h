#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "escan/ids.h"
#include "scheduling/scheduler.h"

namespace escan {

// Keeps what a scheduler decided, in order.
class RecordingSchedulerActions : public SchedulerActions {
 public:
  // A Batch that owns its slots.
  struct Sent {
    WorkerId worker = -1;
    uint64_t sequence = 0;
    int stage = 0;
    float threshold = 0;
    std::vector<SlotId> slots;
  };
  struct Completed {
    RequestKey key;
    Outcome outcome;
  };

  void Dispatch(const Batch& batch) override {
    sent.push_back({.worker = batch.worker,
                    .sequence = batch.sequence,
                    .stage = batch.stage,
                    .threshold = batch.threshold,
                    .slots = {batch.slots.begin(), batch.slots.end()}});
  }
  void Complete(const RequestKey& key, const Outcome& outcome) override {
    completed.push_back({key, outcome});
  }
  void Settled(const RequestKey& key) override { settled.push_back(key); }

  std::deque<Sent> sent;
  std::vector<Completed> completed;
  std::vector<RequestKey> settled;
};

}  // namespace escan
