#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "escan/cascade.h"
#include "escan/ids.h"
#include "escan/time.h"
#include "scheduling/stage_mask.h"

namespace escan {

// A batch at a worker.
struct Flight {
  uint64_t sequence = 0;
  int stage = 0;
  int rows = 0;
  bool alone = false;            // one suspect, and the worker gets nothing else meanwhile
  uint64_t threshold_epoch = 0;  // of the stage's threshold
  TimePoint dispatched;
  TimePoint head_since;  // when it became the worker's oldest batch
  std::array<SlotId, kMaxBatchRows> slots;

  std::span<const SlotId> samples() const { return {slots.data(), static_cast<size_t>(rows)}; }
};

// What a worker hosts and holds. Allocates only in Start.
class Worker {
 public:
  // Ready for batches. It must hold none.
  void Start(StageMask hosts, int credits);
  void Drain() { accepts_ = false; }
  void End();

  bool started() const { return started_; }
  bool accepts() const { return accepts_; }  // started and not draining
  StageMask hosts() const { return hosts_; }
  int load() const { return static_cast<int>(in_flight_.size()); }
  // May get another batch now.
  bool has_credit() const;

  // The place to write the next batch to; it is in flight from Launch on. Needs a credit.
  Flight& draft() { return flights_[free_.back()]; }
  void Launch();
  const Flight* Find(uint64_t sequence) const;
  // The flight stays readable until the next Launch.
  void Land(const Flight& flight, TimePoint now);

  // The batch that was dispatched first; nullptr when there is none.
  const Flight* oldest() const;
  const Flight* newest() const;

 private:
  bool started_ = false;
  bool accepts_ = false;
  StageMask hosts_ = 0;
  std::vector<Flight> flights_;    // one a credit
  std::vector<size_t> free_;       // indices into flights_
  std::vector<size_t> in_flight_;  // the same, in order of dispatch
};

// The workers of a cascade, by id.
class WorkerTable {
 public:
  // Makes room for the id.
  Worker& At(WorkerId id);
  // nullptr when the worker was never seen.
  Worker* Find(WorkerId id);
  const Worker* Find(WorkerId id) const;

  // To be called after any worker's Start, Drain or End.
  void Refresh();
  // Those that accept batches: the one that hosts the fewest stages first, then by id.
  std::span<const WorkerId> by_preference() const { return by_preference_; }
  Worker& operator[](WorkerId id) { return workers_[static_cast<size_t>(id)]; }
  const Worker& operator[](WorkerId id) const { return workers_[static_cast<size_t>(id)]; }
  StageMask hosted() const { return hosted_; }  // by those that accept batches

 private:
  std::vector<Worker> workers_;
  std::vector<WorkerId> by_preference_;
  StageMask hosted_ = 0;
};

}  // namespace escan
