#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "escan/ids.h"
#include "escan/time.h"
#include "scheduling/backlog.h"
#include "scheduling/sample.h"
#include "scheduling/scheduler.h"
#include "scheduling/timer_wheel.h"

namespace escan {

// The requests inside the scheduler and their samples; alone in calling SchedulerActions::Complete
// and Settled. A request is complete when all its samples are answered or one of them ended it, and
// settled when moreover no copy of a sample waits or is at a worker, and none is held.
class RequestTable {
 public:
  RequestTable(int stages, std::span<const SlotId> next_slot, SchedulerActions* actions);

  // Its samples wait nowhere yet.
  void Open(const Admission& admission);
  // The first slot of the request, kNoSlot when it is settled or another one is there.
  SlotId Find(const RequestKey& key) const;

  // A stage answered the sample. With `drop`, its waiting copies are dropped.
  void Answer(SlotId slot, bool drop);
  // Ends the request and drops what waits of it. If it is complete already, only the latter.
  void Complete(SlotId first, const Outcome& outcome);
  // The same, naming the row in `slot` as the cause.
  void CompleteFor(SlotId slot, Outcome outcome);
  // To be called when a copy of an answered sample has gone.
  void Settle(SlotId slot);
  // Keeps the sample's request from being settled, until it is released as many times.
  void Hold(SlotId slot) { ++samples_[slot].holds; }
  void Release(SlotId slot);

  void Expire(TimePoint now);
  TimePoint NextDeadline() const { return deadlines_.NextDue(); }
  void CompleteAll(const Outcome& outcome);

  // What a stage said about a score that passed, or why it threw; whether that counts turns out
  // once all earlier stages answered.
  void Passed(SlotId slot, const SampleAnswer& answer);
  void Failed(SlotId slot, int stage, std::string_view message);
  std::string failure(SlotId slot, int stage) const;

  template <typename Visit>
  void ForEachSlot(SlotId first, Visit visit) {
    SlotId slot = first;
    for (int row = requests_[first].rows; row > 0; --row) {
      const SlotId next = row > 1 ? next_slot_[slot] : kNoSlot;
      visit(slot);
      slot = next;
    }
  }

  Sample& sample(SlotId slot) { return samples_[slot]; }
  std::span<Sample> samples() { return samples_; }
  Backlog& backlog() { return backlog_; }
  const Backlog& backlog() const { return backlog_; }
  const SampleAnswer& answer(SlotId slot) const { return answers_[slot]; }
  int incomplete() const { return incomplete_; }
  bool all_slots_used() const { return slots_used_ == samples_.size(); }
  size_t slots() const { return samples_.size(); }
  size_t slots_used() const { return slots_used_; }

 private:
  struct Request {
    uint64_t id = 0;
    int rows = 0;  // 0: settled
    int unanswered = 0;
    int unsettled = 0;
    bool complete = false;
  };

  void Finish(SlotId first, const Outcome& outcome);
  void SettleSample(SlotId slot);
  // The request's slots must not be touched after this one.
  void CloseIfSettled(SlotId first);

  std::span<const SlotId> next_slot_;
  SchedulerActions* actions_;
  std::vector<Request> requests_;  // by first slot
  std::vector<Sample> samples_;    // by slot
  std::vector<SampleAnswer> answers_;
  std::unordered_map<SlotId, std::vector<std::pair<int, std::string>>> failures_;
  Backlog backlog_;
  TimerWheel deadlines_;  // by first slot, of requests that are not settled
  uint64_t arrivals_ = 0;
  int incomplete_ = 0;
  size_t slots_used_ = 0;
};

}  // namespace escan
