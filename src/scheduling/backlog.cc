#include "scheduling/backlog.h"

namespace escan {

Backlog::Backlog(int stages, std::span<Sample> samples)
    : samples_(samples), lines_(samples.size()) {
  queues_.reserve(static_cast<size_t>(stages));
  for (int i = 0; i < stages; ++i) queues_.emplace_back(samples.size());
}

void Backlog::Queue(SlotId slot, int stage, TimePoint now) {
  Mark(slot, stage);
  if (samples_[slot].suspect != 0) return PlaceSuspect(slot);
  queues_[static_cast<size_t>(stage)].Push(slot, samples_[slot].urgency, now);
}

void Backlog::QueueAt(WorkerId worker, uint64_t batch, SlotId slot, int stage, TimePoint now) {
  Mark(slot, stage);
  if (samples_[slot].suspect != 0) return PlaceSuspect(slot);
  lines_.Append(worker, batch, slot, stage, now);
}

void Backlog::Requeue(SlotId slot, int stage, TimePoint since) {
  Mark(slot, stage);
  if (samples_[slot].suspect != 0) return PlaceSuspect(slot);
  queues_[static_cast<size_t>(stage)].PushOldest(slot, samples_[slot].urgency, since);
}

void Backlog::Drop(SlotId slot, int stage) {
  Sample& sample = samples_[slot];
  TakeOut(slot, stage);
  sample.queued = Without(sample.queued, StageBit(stage));
  --queued_[static_cast<size_t>(stage)];
  --total_queued_;
  if (sample.suspect != 0) PlaceSuspect(slot);
}

void Backlog::DropAll(SlotId slot) {
  ForEachStage(samples_[slot].queued, [&](int stage) { Drop(slot, stage); });
}

TimePoint Backlog::Launch(SlotId slot, int stage) {
  Sample& sample = samples_[slot];
  const TimePoint since = TakeOut(slot, stage);
  sample.queued = Without(sample.queued, StageBit(stage));
  sample.in_flight |= StageBit(stage);
  --queued_[static_cast<size_t>(stage)];
  --total_queued_;
  ++in_flight_[static_cast<size_t>(stage)];
  return since;
}

void Backlog::Land(SlotId slot, int stage) {
  Sample& sample = samples_[slot];
  sample.in_flight = Without(sample.in_flight, StageBit(stage));
  --in_flight_[static_cast<size_t>(stage)];
  if (sample.suspect != 0) PlaceSuspect(slot);
}

void Backlog::Suspect(SlotId slot, int stage) {
  Sample& sample = samples_[slot];
  if (sample.suspect == 0) {
    ForEachStage(sample.queued, [&](int waiting) { TakeOut(slot, waiting); });
  }
  sample.suspect |= StageBit(stage);
  PlaceSuspect(slot);
}

void Backlog::Clear(SlotId slot, int stage, TimePoint now) {
  Sample& sample = samples_[slot];
  if (!Contains(sample.suspect, stage)) return;
  RemoveSuspect(slot);
  sample.suspect = Without(sample.suspect, StageBit(stage));
  if (sample.suspect != 0) return PlaceSuspect(slot);
  ForEachStage(sample.queued, [&](int waiting) {
    queues_[static_cast<size_t>(waiting)].Push(slot, sample.urgency, now);
  });
}

void Backlog::Disband(WorkerId worker, TimePoint now) {
  while (!lines_.empty(worker)) {
    const SlotId slot = lines_.head(worker);
    const int stage = lines_.head_stage(worker);
    lines_.Remove(slot);
    queues_[static_cast<size_t>(stage)].Push(slot, samples_[slot].urgency, now);
  }
}

void Backlog::Mark(SlotId slot, int stage) {
  samples_[slot].queued |= StageBit(stage);
  ++queued_[static_cast<size_t>(stage)];
  ++total_queued_;
}

TimePoint Backlog::TakeOut(SlotId slot, int stage) {
  if (samples_[slot].suspect != 0) {
    RemoveSuspect(slot);
    return {};
  }
  if (lines_.contains(slot, stage)) {
    const TimePoint since = lines_.since(slot);
    lines_.Remove(slot);
    return since;
  }
  StageQueue& queue = queues_[static_cast<size_t>(stage)];
  const TimePoint since = queue.since(slot);
  queue.Remove(slot);
  return since;
}

void Backlog::PlaceSuspect(SlotId slot) {
  RemoveSuspect(slot);
  const Sample& sample = samples_[slot];
  if (sample.queued == 0 || sample.in_flight != 0) return;
  const int stage = Lowest(sample.queued);
  suspects_[static_cast<size_t>(stage)].emplace(sample.urgency, slot);
  suspect_stages_ |= StageBit(stage);
}

void Backlog::RemoveSuspect(SlotId slot) {
  ForEachStage(suspect_stages_, [&](int stage) {
    auto& waiting = suspects_[static_cast<size_t>(stage)];
    waiting.erase(samples_[slot].urgency);
    if (waiting.empty()) suspect_stages_ = Without(suspect_stages_, StageBit(stage));
  });
}

}  // namespace escan
