#include "scheduling/exit_auditor.h"

#include <span>

namespace escan {
namespace {

// The last stage and what it needs of the stages after `exit`, on whose outputs it may build.
StageMask PathFrom(const CascadeSpec& cascade, int exit) {
  StageMask path = StageBit(cascade.stage_count() - 1);
  for (int stage = cascade.stage_count() - 1; stage > exit; --stage) {
    if (!Contains(path, stage)) continue;
    for (const TensorRef& input : cascade.stages[static_cast<size_t>(stage)].inputs) {
      if (input.stage > exit) path |= StageBit(input.stage);
    }
  }
  return path;
}

}  // namespace

ExitAuditor::ExitAuditor(int every, const CascadeSpec& cascade, const SpareTime* spare,
                         RequestTable* requests, Dispatcher* dispatcher, SchedulerActions* actions)
    : every_(static_cast<uint64_t>(every)),
      last_(cascade.stage_count() - 1),
      spare_(spare),
      requests_(requests),
      dispatcher_(dispatcher),
      actions_(actions) {
  for (int stage = 0; stage < last_; ++stage) {
    path_[static_cast<size_t>(stage)] = PathFrom(cascade, stage);
  }
}

void ExitAuditor::Consider(SlotId slot, int stage, TimePoint now) {
  uint64_t& exited = exited_[static_cast<size_t>(stage)];
  if (++exited < every_ || state_ != State::kNone || spare_->SlotsAreShort()) return;
  const StageMask path = path_[static_cast<size_t>(stage)];
  if ((requests_->sample(slot).begun() & path) != 0) return;
  exited = 0;
  stage_ = stage;
  slot_ = slot;
  left_ = path;
  requests_->Hold(slot);
  Wait(now);
}

void ExitAuditor::Wait(TimePoint now) {
  state_ = State::kWaits;
  due_ = now + SpareTime::kLongestWait;
}

void ExitAuditor::Advance(TimePoint now) {
  if (state_ != State::kWaits) return;
  if (now >= due_ || spare_->SlotsAreShort()) return End();
  const int next = Lowest(left_);
  const WorkerId worker = spare_->FreeHost(next);
  if (worker < 0) return;
  state_ = State::kInFlight;
  dispatcher_->Audit(worker, next, slot_, now);
}

void ExitAuditor::Land(const BatchResult& result, TimePoint now) {
  if (result.failed.front() != 0) return End();
  left_ = Without(left_, StageBit(Lowest(left_)));
  if (left_ != 0) return Wait(now);
  actions_->Audited({.slot = slot_, .stage = stage_});
  End();
}

void ExitAuditor::GiveUp() {
  if (state_ == State::kWaits) End();
}

void ExitAuditor::End() {
  state_ = State::kNone;
  requests_->Release(slot_);
}

}  // namespace escan
