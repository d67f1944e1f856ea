#pragma once

#include <deque>
#include <string>
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
    BatchPurpose purpose = BatchPurpose::kServe;
    float threshold = 0;
    std::vector<SlotId> slots;

    static Sent Of(const Batch& batch) {
      return {.worker = batch.worker,
              .sequence = batch.sequence,
              .stage = batch.stage,
              .purpose = batch.purpose,
              .threshold = batch.threshold,
              .slots = {batch.slots.begin(), batch.slots.end()}};
    }
    bool compares() const { return purpose == BatchPurpose::kCompare; }
  };
  struct Completed {
    RequestKey key;
    Outcome outcome;
  };

  void Dispatch(const Batch& batch) override { sent.push_back(Sent::Of(batch)); }
  void Complete(const RequestKey& key, const Outcome& outcome) override {
    completed.push_back({key, outcome});
  }
  void Settled(const RequestKey& key) override { settled.push_back(key); }
  void Compared(const Comparison& comparison) override {
    compared.push_back(comparison);
    messages.emplace_back(comparison.message);
    compared.back().message = {};
  }

  void Audited(const AuditedSample& sample) override { audited.push_back(sample); }
  void Drifted(int stage, const DriftStatus& drift) override { drifted.emplace_back(stage, drift); }
  void BrownedOut(int level) override { levels.push_back(level); }

  std::deque<Sent> sent;
  std::vector<Completed> completed;
  std::vector<RequestKey> settled;
  std::vector<Comparison> compared;
  std::vector<AuditedSample> audited;
  std::vector<std::pair<int, DriftStatus>> drifted;
  std::vector<int> levels;            // of a brown-out
  std::vector<std::string> messages;  // of `compared`
};

}  // namespace escan
