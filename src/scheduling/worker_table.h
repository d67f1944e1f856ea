#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "escan/cascade.h"
#include "escan/ids.h"
#include "escan/stage_executor.h"
#include "escan/time.h"
#include "scheduling/stage_mask.h"

namespace escan {

// A batch at a worker.
struct Flight {
  uint64_t sequence = 0;
  int stage = 0;
  int rows = 0;
  BatchPurpose purpose = BatchPurpose::kServe;
  bool audit = false;            // of an ExitAuditor: its row is answered already
  bool alone = false;            // a trial: one suspect, and its fault domain gets nothing else
  uint64_t threshold_epoch = 0;  // of the stage's threshold
  uint8_t brown_out = 0;         // level of the same
  TimePoint dispatched;
  TimePoint head_since;  // when it became the worker's oldest batch
  std::array<SlotId, kMaxBatchRows> slots;

  std::span<const SlotId> samples() const { return {slots.data(), static_cast<size_t>(rows)}; }
};

// What a worker hosts and holds. Allocates only in Start.
class Worker {
 public:
  // Ready for batches. It must hold none. `domain` is its place in WorkerTable::domain.
  void Start(StageMask hosts, int credits, size_t domain);
  void Drain() { accepts_ = false; }
  void End();

  bool started() const { return started_; }
  bool accepts() const { return accepts_; }  // started and not draining
  StageMask hosts() const { return hosts_; }
  size_t domain() const { return domain_; }
  int load() const { return static_cast<int>(in_flight_.size()); }
  bool has_credit() const { return accepts_ && !free_.empty(); }

  // The place to write the next batch to; it is in flight from Launch on. Needs a credit.
  Flight& draft() { return flights_[free_.back()]; }
  void Launch();
  const Flight* Find(uint64_t sequence) const;
  // The flight stays readable until the next Launch.
  void Land(const Flight& flight, TimePoint now);

  // The batch that was dispatched first; nullptr when there is none.
  const Flight* oldest() const;
  const Flight* newest() const;

  // Samples that it has answered since Start, and those of them that came after `right`, a number
  // of answered samples up to which it was seen to be right.
  void Answered(int rows) { answered_ += static_cast<uint64_t>(rows); }
  uint64_t answered() const { return answered_; }
  void SeenRight(uint64_t answered) { right_ = std::max(right_, answered); }
  uint64_t unverified() const { return answered_ - right_; }

 private:
  bool started_ = false;
  bool accepts_ = false;
  StageMask hosts_ = 0;
  size_t domain_ = 0;
  std::vector<Flight> flights_;    // one a credit
  std::vector<size_t> free_;       // indices into flights_
  std::vector<size_t> in_flight_;  // the same, in order of dispatch
  uint64_t answered_ = 0;
  uint64_t right_ = 0;
};

// Workers that a fault of one of them ends together, because they share a device; or one worker
// that shares nothing.
struct FaultDomain {
  int name = 0;         // what its workers were told, or a negative number that is one worker's own
  int load = 0;         // batches at its workers, those that drain included
  bool trial = false;   // one of them is a trial
  int trials = 0;       // begun since its workers last got a batch from a queue
  StageMask hosts = 0;  // of its workers that accept batches
};

// The workers of a cascade, by id, and their fault domains. Alone in changing them. Allocates only
// in Start.
class WorkerTable {
 public:
  // The worker, which holds nothing, is ready for batches. A negative fault domain: it shares none.
  void Start(WorkerId id, StageMask hosts, int credits, int fault_domain);
  // Of a worker that Find knows.
  void Drain(WorkerId id);
  void End(WorkerId id);

  // nullptr when the worker was never seen.
  const Worker* Find(WorkerId id) const;
  const Worker& operator[](WorkerId id) const { return workers_[static_cast<size_t>(id)]; }
  const FaultDomain& domain(WorkerId id) const { return domains_[(*this)[id].domain()]; }

  // May get another batch now.
  bool has_credit(WorkerId id) const { return (*this)[id].has_credit() && !domain(id).trial; }
  // See Worker::draft.
  Flight& Draft(WorkerId id) { return at(id).draft(); }
  void Launch(WorkerId id);
  // The flight stays readable until the worker's next Launch.
  void Land(WorkerId id, const Flight& flight, TimePoint now);
  // See Worker.
  void Answered(WorkerId id, int rows) { at(id).Answered(rows); }
  void SeenRight(WorkerId id, uint64_t answered) { at(id).SeenRight(answered); }
  // The worker got a batch from a queue.
  void EndTrialsInARow(WorkerId id) { domains_[at(id).domain()].trials = 0; }

  // Those that accept batches: the one that hosts the fewest stages first, then by id.
  std::span<const WorkerId> by_preference() const { return by_preference_; }
  StageMask hosted() const { return hosted_; }  // by those that accept batches

 private:
  Worker& at(WorkerId id) { return workers_[static_cast<size_t>(id)]; }
  size_t DomainOf(WorkerId id, int fault_domain);
  // After any worker's Start, Drain or End.
  void Refresh();

  std::vector<Worker> workers_;
  std::vector<FaultDomain> domains_;
  std::vector<WorkerId> by_preference_;
  StageMask hosted_ = 0;
};

}  // namespace escan
