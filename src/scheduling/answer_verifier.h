#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "escan/cascade.h"
#include "escan/time.h"
#include "scheduling/dispatcher.h"
#include "scheduling/request_table.h"
#include "scheduling/scheduler.h"
#include "scheduling/spare_time.h"
#include "scheduling/stage_state.h"
#include "scheduling/worker_table.h"

namespace escan {

// Now and then has rows that a stage has just answered computed once more: by another worker, or
// the same one where no other is free, and in another bucket. The rows' requests are answered
// meanwhile; only their slots are held. One check at a time, and only at workers that have nothing
// else to do: what waits for one for too long, or while slots run short, is given up.
//
// When the rows differ nobody knows yet who is wrong. A third worker decides; where no other hosts
// the stage, first the worker that answered and then the one that compared computes the rows in one
// more bucket, and who contradicts itself is wrong. If neither does, it cannot be known.
//
// Owned by the scheduler's core. Allocates only when rows differ.
class AnswerVerifier {
 public:
  // After `every` samples of a stage a batch is checked; 0: never. All else outlives this.
  AnswerVerifier(int every, const SpareTime* spare, std::vector<StageState>* stages,
                 RequestTable* requests, WorkerTable* workers, Dispatcher* dispatcher,
                 SchedulerActions* actions);

  // The stage's answers differ from one time to the next by its nature: they are not compared.
  void Exempt(int stage);

  // A batch has come back that was not one to compare. To be called before its rows move on.
  void Offer(WorkerId worker, const Flight& batch, const BatchResult& result, TimePoint now);
  // Gives what waits to a worker, or gives it up. To be called when all else is dispatched.
  void Advance(TimePoint now);
  // When what waits is given up; TimePoint::max() when nothing waits.
  TimePoint due() const;

  // A batch to compare has come back.
  void Land(WorkerId worker, const BatchResult& result, TimePoint now);
  // It will not come back.
  void Lost();
  // What this worker said is no longer of use: it is gone, or another one by the same name comes.
  void Forget(WorkerId worker);
  // Gives up what waits.
  void GiveUp();

 private:
  enum class State {
    kNone,
    kWaits,      // for a worker
    kInFlight,   // at one
    kAbandoned,  // the same, and its result will not matter
  };

  int TakeRows(const Flight& batch, const BatchResult& result, int most);
  // How many rows to compute in this round: as many as fill another bucket than the answer's.
  int RowsOfRound() const;
  WorkerId PickWorker() const;
  // A worker that has nothing else to do; -1: none.
  WorkerId FreeHost() const;
  bool IsFree(WorkerId id) const { return spare_->IsFree(id, stage_); }
  bool HasThirdHost() const;

  void Judge(WorkerId worker, bool differs, TimePoint now);
  void NextRound(TimePoint now);
  // Lets go of all rows that do not differ.
  void KeepThoseThatDiffer(const BatchResult& result);
  void Conclude(WorkerId wrong);
  void End();

  StageState& stage() const { return (*stages_)[static_cast<size_t>(stage_)]; }

  const uint64_t every_;
  const SpareTime* spare_;
  std::vector<StageState>* stages_;
  RequestTable* requests_;
  WorkerTable* workers_;
  Dispatcher* dispatcher_;
  SchedulerActions* actions_;
  std::array<uint64_t, kMaxStages> executed_{};  // samples since the last check
  StageMask exempt_ = 0;

  // --- the check
  State state_ = State::kNone;
  int stage_ = 0;
  WorkerId answered_ = -1;
  uint64_t answered_samples_ = 0;  // that the worker had answered with these
  size_t bucket_ = 0;              // of the answer; index into the stage's buckets
  int round_ = 0;
  WorkerId compared_ = -1;  // in the first round
  int checked_ = 0;         // rows in the first round
  int rows_ = 0;            // held; from the second round on all of them differ
  std::array<SlotId, kMaxBatchRows> slots_;
  std::string message_;
  TimePoint due_;
};

}  // namespace escan
