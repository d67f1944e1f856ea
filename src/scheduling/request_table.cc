#include "scheduling/request_table.h"

namespace escan {

RequestTable::RequestTable(int stages, std::span<const SlotId> next_slot, SchedulerActions* actions)
    : next_slot_(next_slot),
      actions_(actions),
      requests_(next_slot.size()),
      samples_(next_slot.size()),
      answers_(next_slot.size()),
      backlog_(stages, samples_),
      deadlines_(next_slot.size()) {}

void RequestTable::Open(const Admission& admission) {
  const SlotId first = admission.key.first_slot;
  requests_[first] = {.id = admission.key.id,
                      .rows = admission.rows,
                      .unanswered = admission.rows,
                      .unsettled = admission.rows};
  ForEachSlot(first, [&](SlotId slot) {
    samples_[slot] = {.urgency = Urgency::Of(admission.priority, admission.deadline, ++arrivals_),
                      .request = first};
    answers_[slot] = {};
  });
  deadlines_.Add(first, admission.deadline);
  ++incomplete_;
  slots_used_ += static_cast<size_t>(admission.rows);
}

SlotId RequestTable::Find(const RequestKey& key) const {
  if (key.first_slot >= requests_.size()) return kNoSlot;
  const Request& request = requests_[key.first_slot];
  return request.rows > 0 && request.id == key.id ? key.first_slot : kNoSlot;
}

void RequestTable::Answer(SlotId slot, bool drop) {
  Sample& sample = samples_[slot];
  const SlotId first = sample.request;
  sample.answered = true;
  if (drop || sample.suspect != 0) backlog_.DropAll(slot);
  if (--requests_[first].unanswered == 0) Finish(first, Outcome{});
  Settle(slot);
}

void RequestTable::Complete(SlotId first, const Outcome& outcome) {
  ForEachSlot(first, [&](SlotId slot) {
    samples_[slot].answered = true;
    backlog_.DropAll(slot);
  });
  if (!requests_[first].complete) Finish(first, outcome);
  ForEachSlot(first, [&](SlotId slot) { SettleSample(slot); });
  CloseIfSettled(first);
}

void RequestTable::CompleteFor(SlotId slot, Outcome outcome) {
  const SlotId first = samples_[slot].request;
  outcome.row = 0;
  for (SlotId at = first; at != slot; at = next_slot_[at]) ++outcome.row;
  Complete(first, outcome);
}

void RequestTable::Finish(SlotId first, const Outcome& outcome) {
  Request& request = requests_[first];
  request.complete = true;
  --incomplete_;
  actions_->Complete({first, request.id}, outcome);
}

void RequestTable::Settle(SlotId slot) {
  SettleSample(slot);
  CloseIfSettled(samples_[slot].request);
}

void RequestTable::Release(SlotId slot) {
  --samples_[slot].holds;
  Settle(slot);
}

void RequestTable::SettleSample(SlotId slot) {
  Sample& sample = samples_[slot];
  if (sample.settled || sample.holds > 0 || !sample.answered) return;
  if (sample.queued != 0 || sample.in_flight != 0) return;
  sample.settled = true;
  if (sample.failed != 0) failures_.erase(slot);
  --requests_[sample.request].unsettled;
}

void RequestTable::CloseIfSettled(SlotId first) {
  Request& request = requests_[first];
  if (request.unsettled > 0) return;
  deadlines_.Remove(first);
  slots_used_ -= static_cast<size_t>(request.rows);
  request.rows = 0;
  actions_->Settled({first, request.id});
}

void RequestTable::Expire(TimePoint now) {
  deadlines_.Expire(
      now, [&](SlotId first) { Complete(first, {.code = OutcomeCode::kDeadlineExceeded}); });
}

void RequestTable::CompleteAll(const Outcome& outcome) {
  for (SlotId first = 0; first < requests_.size(); ++first) {
    if (requests_[first].rows > 0) Complete(first, outcome);
  }
}

void RequestTable::Passed(SlotId slot, const SampleAnswer& answer) {
  samples_[slot].passed |= StageBit(answer.stage);
  SampleAnswer& kept = answers_[slot];
  if (kept.stage < 0 || answer.stage < kept.stage) kept = answer;
}

void RequestTable::Failed(SlotId slot, int stage, std::string_view message) {
  samples_[slot].failed |= StageBit(stage);
  failures_[slot].emplace_back(stage, message);
}

std::string RequestTable::failure(SlotId slot, int stage) const {
  const auto found = failures_.find(slot);
  if (found == failures_.end()) return {};
  for (const auto& [failed, message] : found->second) {
    if (failed == stage) return message;
  }
  return {};
}

}  // namespace escan
