#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "escan/time.h"
#include "scheduling/dispatch_choice.h"
#include "scheduling/request_table.h"
#include "scheduling/scheduler.h"
#include "scheduling/stage_state.h"
#include "scheduling/step_times.h"
#include "scheduling/worker_table.h"

namespace escan {

// Gives waiting samples to workers that have a credit. A worker runs, first, what stands in its own
// line of survivors; then a suspect, if its fault domain holds nothing else; then a batch of a
// stage's queue. The worker that holds the fewest batches is served first.
//
// A domain that holds nothing tries a suspect before anything else. One of the domains that host
// the stage of a waiting suspect is kept for it: it gets nothing from the queues until it holds
// nothing, while the others go on. After kMaxTrialsInARow trials a domain runs a batch of a queue,
// if there is one, before the next: neither suspects nor the others wait for ever.
class Dispatcher {
 public:
  // All outlive the dispatcher.
  Dispatcher(std::vector<StageState>* stages, RequestTable* requests, WorkerTable* workers,
             const StepTimes* step_times, SchedulerActions* actions);

  // Dispatches all that can be dispatched. A request that cannot make its deadline even if its
  // sample is dispatched now is completed instead.
  void Run(TimePoint now);
  // Gives rows that were answered to a worker that has a credit, to be computed once more. Returns
  // the batch's sequence.
  uint64_t Compare(WorkerId id, int stage, std::span<const SlotId> rows, TimePoint now);
  // Runs a row that was answered through one more stage, for an ExitAuditor, at a worker that has a
  // credit.
  void Audit(WorkerId id, int stage, SlotId slot, TimePoint now);
  // After Run: when a batch that is not full will have waited long enough for a worker that is
  // free. TimePoint::max(): there is none.
  TimePoint NextRipe(TimePoint now) const;

 private:
  static constexpr int kMaxTrialsInARow = 16;

  bool DispatchOne(TimePoint now);
  StageOffers Survey(TimePoint now) const;
  bool MoreMayCome(int stage) const;
  // When the batch that waits at the stage stops waiting for more: its oldest sample has waited for
  // max_delay, or its most urgent one has time left for just two steps.
  TimePoint RipeAt(int stage, const std::optional<Duration>& step) const;
  std::optional<Duration> StepOfWaiting(int stage, TimePoint now) const;

  // The worker to serve next.
  struct Pick {
    WorkerId worker = -1;   // -1: none
    StageMask allowed = 0;  // stages whose queues it may take from
  };
  Pick PickWorker(StageMask runnable) const;
  // The worker to try a suspect at next; -1: none.
  WorkerId PickTrial(StageMask runnable) const;
  // Domains that are kept for suspects: of the worker at each of the stages.
  struct Kept {
    StageMask stages = 0;
    std::array<WorkerId, kMaxStages> worker;
  };
  Kept KeepForSuspects(StageMask runnable) const;
  bool IsKept(const Kept& kept, WorkerId id) const;
  // Whether something runnable goes first in a domain that tried many suspects in a row.
  bool OwesABatch(const FaultDomain& domain, StageMask runnable) const;
  // Whether survivors wait for a worker of this one's domain.
  bool HasLine(WorkerId id) const;

  // The worker's next batch, without rows.
  Flight& Begin(WorkerId id, int stage);
  void RunLine(WorkerId id, TimePoint now);
  void RunSuspect(WorkerId id, TimePoint now);
  void RunQueue(WorkerId id, int stage, TimePoint now);
  // Puts a waiting sample into the batch. False: the batch would end too late for it, and it was
  // given up.
  bool Take(Flight& batch, SlotId slot, const std::optional<Duration>& step, TimePoint now);
  void Send(WorkerId id, TimePoint now);

  StageState& stage(int index) { return (*stages_)[static_cast<size_t>(index)]; }
  const StageState& stage(int index) const { return (*stages_)[static_cast<size_t>(index)]; }

  std::vector<StageState>* stages_;
  RequestTable* requests_;
  Backlog* backlog_;
  WorkerTable* workers_;
  const StepTimes* step_times_;
  SchedulerActions* actions_;
  uint64_t sequence_ = 0;
};

}  // namespace escan
