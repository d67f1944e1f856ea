#include "scheduling/dispatcher.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "scheduling/batch_sizing.h"

namespace escan {
namespace {

TimePoint SaturatingAdd(TimePoint time, Duration duration) {
  return duration > TimePoint::max() - time ? TimePoint::max() : time + duration;
}

void RecordWait(StageStatistics& statistics, Duration waited) {
  statistics.queue_time.Add(kLatencyBounds, std::chrono::duration<double>(waited).count());
  statistics.queue_ns += static_cast<uint64_t>(waited.count());
}

}  // namespace

Dispatcher::Dispatcher(std::vector<StageState>* stages, RequestTable* requests,
                       WorkerTable* workers, const StepTimes* step_times, SchedulerActions* actions)
    : stages_(stages),
      requests_(requests),
      backlog_(&requests->backlog()),
      workers_(workers),
      step_times_(step_times),
      actions_(actions) {}

void Dispatcher::Run(TimePoint now) {
  while (!backlog_->empty() && DispatchOne(now)) {
  }
}

bool Dispatcher::DispatchOne(TimePoint now) {
  const StageOffers offers = Survey(now);
  const WorkerId trial = PickTrial(offers.runnable());
  if (trial >= 0) {
    RunSuspect(trial, now);
    return true;
  }
  const Pick pick = PickWorker(offers.runnable());
  if (pick.worker < 0) return false;
  if (!backlog_->lines().empty(pick.worker)) {
    RunLine(pick.worker, now);
  } else {
    RunQueue(pick.worker, *ChooseStage(offers, pick.allowed, now), now);
  }
  return true;
}

StageOffers Dispatcher::Survey(TimePoint now) const {
  StageOffers offers;
  for (int i = 0; i < static_cast<int>(stages_->size()); ++i) {
    const StageQueue& queue = backlog_->queue(i);
    if (queue.empty()) continue;
    const StagePolicy& policy = stage(i).policy;
    const StageMask bit = StageBit(i);
    offers.waiting |= bit;
    const std::optional<Duration> step = StepOfWaiting(i, now);
    if (queue.size() >= policy.max_batch) {
      offers.full |= bit;
    } else if (now >= RipeAt(i, step) || !MoreMayCome(i)) {
      offers.ripe |= bit;
    }
    offers.at[static_cast<size_t>(i)] = {.level = queue.head_urgency().level,
                                         .deadline = queue.head_urgency().deadline(),
                                         .step = step};
  }
  return offers;
}

// Samples come to a stage from the one before it, or, along a chain of stages that speculate, from
// the one before the chain: new requests when it begins at the first stage.
bool Dispatcher::MoreMayCome(int index) const {
  int source = index;
  while (source > 0 && stage(source).policy.speculate) --source;
  if (source == 0) return !requests_->all_slots_used();
  for (int i = 0; i < source; ++i) {
    if (backlog_->queued(i) > 0 || backlog_->in_flight(i) > 0) return true;
  }
  return false;
}

TimePoint Dispatcher::RipeAt(int index, const std::optional<Duration>& step) const {
  const StageQueue& queue = backlog_->queue(index);
  const TimePoint waited = SaturatingAdd(queue.oldest_since(), stage(index).policy.max_delay);
  return step ? std::min(waited, queue.head_urgency().deadline() - 2 * *step) : waited;
}

std::optional<Duration> Dispatcher::StepOfWaiting(int index, TimePoint now) const {
  const int rows = std::min(backlog_->queue(index).size(), stage(index).policy.max_batch);
  return step_times_->Recent(index, rows, now);
}

Dispatcher::Pick Dispatcher::PickWorker(StageMask runnable) const {
  const Kept kept = KeepForSuspects(runnable);
  StageMask idle_hosts = 0;
  for (const WorkerId id : workers_->by_preference()) {
    const Worker& worker = (*workers_)[id];
    if (worker.load() > 0 || !workers_->has_credit(id) || IsKept(kept, id)) continue;
    idle_hosts |= worker.hosts();
  }
  Pick best;
  int least_load = std::numeric_limits<int>::max();
  for (const WorkerId id : workers_->by_preference()) {
    const Worker& worker = (*workers_)[id];
    if (worker.load() >= least_load || !workers_->has_credit(id)) continue;
    const bool idle = worker.load() == 0;
    const bool has_line = !backlog_->lines().empty(id);
    if (IsKept(kept, id) && !(idle && has_line)) continue;
    const StageMask allowed = idle ? worker.hosts() : Without(worker.hosts(), idle_hosts);
    if ((allowed & runnable) == 0 && !has_line) continue;
    best = {.worker = id, .allowed = allowed};
    if (idle) return best;
    least_load = worker.load();
  }
  return best;
}

WorkerId Dispatcher::PickTrial(StageMask runnable) const {
  const StageMask suspects = backlog_->suspect_stages();
  if (suspects == 0) return -1;
  for (const WorkerId id : workers_->by_preference()) {
    if (((*workers_)[id].hosts() & suspects) == 0) continue;
    const FaultDomain& domain = workers_->domain(id);
    if (domain.load == 0 && !OwesABatch(domain, runnable) && !HasLine(id)) return id;
  }
  return -1;
}

// Always the first, so that it is not another one each time before any has come to hold nothing. A
// domain that is trying a suspect does not count: that may take until the worker is found to hang.
Dispatcher::Kept Dispatcher::KeepForSuspects(StageMask runnable) const {
  Kept kept;
  ForEachStage(backlog_->suspect_stages(), [&](int stage) {
    for (const WorkerId id : workers_->by_preference()) {
      const FaultDomain& domain = workers_->domain(id);
      if (!Contains((*workers_)[id].hosts(), stage) || domain.trial) continue;
      if (OwesABatch(domain, runnable)) continue;
      kept.stages |= StageBit(stage);
      kept.worker[static_cast<size_t>(stage)] = id;
      return;
    }
  });
  return kept;
}

bool Dispatcher::IsKept(const Kept& kept, WorkerId id) const {
  const size_t domain = (*workers_)[id].domain();
  bool is_kept = false;
  ForEachStage(kept.stages, [&](int stage) {
    is_kept |= (*workers_)[kept.worker[static_cast<size_t>(stage)]].domain() == domain;
  });
  return is_kept;
}

bool Dispatcher::OwesABatch(const FaultDomain& domain, StageMask runnable) const {
  return domain.trials >= kMaxTrialsInARow && (domain.hosts & runnable) != 0;
}

bool Dispatcher::HasLine(WorkerId id) const {
  const size_t domain = (*workers_)[id].domain();
  return std::ranges::any_of(workers_->by_preference(), [&](WorkerId other) {
    return (*workers_)[other].domain() == domain && !backlog_->lines().empty(other);
  });
}

Flight& Dispatcher::Begin(WorkerId id, int stage) {
  Flight& batch = workers_->Draft(id);
  batch.stage = stage;
  batch.rows = 0;
  batch.purpose = BatchPurpose::kServe;
  batch.audit = false;
  batch.alone = false;
  return batch;
}

void Dispatcher::RunLine(WorkerId id, TimePoint now) {
  const SurvivorLines& lines = backlog_->lines();
  Flight& batch = Begin(id, lines.head_stage(id));
  const uint64_t origin = lines.head_batch(id);
  const int rows = lines.HeadGroup(id, stage(batch.stage).policy.max_batch);
  const std::optional<Duration> step = step_times_->Recent(batch.stage, rows, now);
  while (batch.rows < rows && !lines.empty(id) && lines.head_batch(id) == origin &&
         lines.head_stage(id) == batch.stage) {
    Take(batch, lines.head(id), step, now);
  }
  Send(id, now);
}

void Dispatcher::RunSuspect(WorkerId id, TimePoint now) {
  const StageMask hosts = (*workers_)[id].hosts();
  Flight& batch = Begin(id, Lowest(static_cast<StageMask>(hosts & backlog_->suspect_stages())));
  batch.alone = true;
  Take(batch, backlog_->suspect(batch.stage), step_times_->Recent(batch.stage, 1, now), now);
  Send(id, now);
}

void Dispatcher::RunQueue(WorkerId id, int index, TimePoint now) {
  const StageQueue& queue = backlog_->queue(index);
  const StageState& at = stage(index);
  Flight& batch = Begin(id, index);
  const int rows = RowsToTake({.available = queue.size(),
                               .max_batch = at.policy.max_batch,
                               .buckets = at.spec->buckets,
                               .step_times = step_times_->means(index),
                               .slack = queue.head_urgency().deadline() - now});
  const std::optional<Duration> step = step_times_->Recent(index, rows, now);
  // When the most urgent sample is given up, another number of rows may be right.
  if (!Take(batch, queue.head(), step, now)) return;
  while (batch.rows < rows && !queue.empty()) Take(batch, queue.head(), step, now);
  workers_->EndTrialsInARow(id);
  Send(id, now);
}

uint64_t Dispatcher::Compare(WorkerId id, int index, std::span<const SlotId> rows, TimePoint now) {
  Flight& batch = Begin(id, index);
  batch.purpose = BatchPurpose::kCompare;
  batch.rows = static_cast<int>(rows.size());
  std::ranges::copy(rows, batch.slots.begin());
  Send(id, now);
  return batch.sequence;
}

void Dispatcher::Audit(WorkerId id, int index, SlotId slot, TimePoint now) {
  Flight& batch = Begin(id, index);
  batch.audit = true;
  batch.rows = 1;
  batch.slots.front() = slot;
  Send(id, now);
}

// All copies of a request in one batch are judged alike, so that none is sent when it is given up.
bool Dispatcher::Take(Flight& batch, SlotId slot, const std::optional<Duration>& step,
                      TimePoint now) {
  const Sample& sample = requests_->sample(slot);
  if (step && *step > sample.urgency.deadline() - now) {
    if (!sample.answered && sample.frontier() == batch.stage) {
      requests_->Complete(sample.request, {.code = OutcomeCode::kDeadlineExceeded});
    } else {
      backlog_->Drop(slot, batch.stage);
      requests_->Settle(slot);
    }
    return false;
  }
  const TimePoint since = backlog_->Launch(slot, batch.stage);
  if (!batch.alone) RecordWait(stage(batch.stage).statistics, now - since);
  batch.slots[static_cast<size_t>(batch.rows++)] = slot;
  return true;
}

void Dispatcher::Send(WorkerId id, TimePoint now) {
  Flight& batch = workers_->Draft(id);
  if (batch.rows == 0) return;
  const StageState& at = stage(batch.stage);
  batch.sequence = ++sequence_;
  batch.threshold_epoch = at.threshold_epoch;
  batch.brown_out = at.brown_out;
  batch.dispatched = now;
  workers_->Launch(id);
  actions_->Dispatch({.worker = id,
                      .sequence = batch.sequence,
                      .stage = batch.stage,
                      .purpose = batch.purpose,
                      .threshold = at.threshold,
                      .slots = batch.samples()});
}

TimePoint Dispatcher::NextRipe(TimePoint now) const {
  if (backlog_->empty()) return TimePoint::max();
  StageMask free = 0;
  for (const WorkerId id : workers_->by_preference()) {
    if (workers_->has_credit(id)) free |= (*workers_)[id].hosts();
  }
  TimePoint next = TimePoint::max();
  ForEachStage(free, [&](int index) {
    if (backlog_->queue(index).empty()) return;
    const TimePoint ripe = RipeAt(index, StepOfWaiting(index, now));
    if (ripe > now) next = std::min(next, ripe);
  });
  return next;
}

}  // namespace escan
