#pragma once

#include <cstdint>
#include <optional>
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
// line of survivors; then a suspect, if it holds nothing else; then a batch of a stage's queue. The
// worker that holds the fewest batches is served first. While a suspect waits for a worker, the
// workers that could try it get nothing until they hold nothing.
class Dispatcher {
 public:
  // All outlive the dispatcher.
  Dispatcher(std::vector<StageState>* stages, RequestTable* requests, WorkerTable* workers,
             const StepTimes* step_times, SchedulerActions* actions);

  // Dispatches all that can be dispatched. A request that cannot make its deadline even if its
  // sample is dispatched now is completed instead.
  void Run(TimePoint now);
  // After Run: when a batch that is not full will have waited long enough for a worker that is
  // free. TimePoint::max(): there is none.
  TimePoint NextRipe(TimePoint now) const;

 private:
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
    bool suspect = false;   // it is to try a suspect
    StageMask allowed = 0;  // else: stages whose queues it may take from
  };
  Pick PickWorker(StageMask runnable) const;

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
