#pragma once

#include <array>
#include <cstdint>

#include "escan/cascade.h"
#include "escan/time.h"
#include "scheduling/dispatcher.h"
#include "scheduling/request_table.h"
#include "scheduling/scheduler.h"
#include "scheduling/spare_time.h"
#include "scheduling/stage_mask.h"

namespace escan {

// Now and then lets a sample that exits early also run through the last stage, so that both answers
// lie in its slot and can be compared. The sample's request is answered meanwhile; only its slots
// are held. One audit at a time, and only at workers that have nothing else to do: what waits for
// one for too long, or while slots run short, is given up. Where the last stage reads what stages
// in between compute, those run first.
//
// A sample that such a stage has begun already, because it speculates, is not taken: its copies
// write to the same place.
//
// Owned by the scheduler's core. Does not allocate.
class ExitAuditor {
 public:
  // After `every` samples that exit at a stage one is audited; 0: never. All else
  // outlives this.
  ExitAuditor(int every, const CascadeSpec& cascade, const SpareTime* spare, RequestTable* requests,
              Dispatcher* dispatcher, SchedulerActions* actions);

  // The stage is about to answer the sample. To be called before RequestTable::Answer.
  void Offer(SlotId slot, int stage, TimePoint now) {
    if (every_ > 0 && stage < last_) Consider(slot, stage, now);
  }
  // Gives what waits to a worker, or gives it up. To be called when all else is dispatched.
  void Advance(TimePoint now);
  // When what waits is given up; TimePoint::max() when nothing waits.
  TimePoint due() const { return state_ == State::kWaits ? due_ : TimePoint::max(); }

  // A step of the audit has come back.
  void Land(const BatchResult& result, TimePoint now);
  // It will not come back.
  void Lost() { End(); }
  // Gives up what waits.
  void GiveUp();

 private:
  enum class State {
    kNone,
    kWaits,     // for a worker
    kInFlight,  // at one
  };

  void Consider(SlotId slot, int stage, TimePoint now);
  void Wait(TimePoint now);
  void End();

  const uint64_t every_;
  const int last_;
  const SpareTime* spare_;
  RequestTable* requests_;
  Dispatcher* dispatcher_;
  SchedulerActions* actions_;
  std::array<StageMask, kMaxStages> path_{};   // [exit stage] the stages to run
  std::array<uint64_t, kMaxStages> exited_{};  // samples since the last audit

  // --- the audit
  State state_ = State::kNone;
  int stage_ = 0;  // that answered
  SlotId slot_ = kNoSlot;
  StageMask left_ = 0;  // stages to run still
  TimePoint due_;
};

}  // namespace escan
