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
  const Pick pick = PickWorker(offers.runnable());
  if (pick.worker < 0) return false;
  if (!backlog_->lines().empty(pick.worker)) {
    RunLine(pick.worker, now);
  } else if (pick.suspect) {
    RunSuspect(pick.worker, now);
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
  StageMask idle_hosts = 0;
  for (const WorkerId id : workers_->by_preference()) {
    const Worker& worker = (*workers_)[id];
    if (worker.load() == 0) idle_hosts |= worker.hosts();
  }
  Pick best;
  int least_load = std::numeric_limits<int>::max();
  for (const WorkerId id : workers_->by_preference()) {
    const Worker& worker = (*workers_)[id];
    if (worker.load() >= least_load || !worker.has_credit()) continue;
    const bool idle = worker.load() == 0;
    const bool suspect_waits = (worker.hosts() & backlog_->suspect_stages()) != 0;
    if (suspect_waits && !idle) continue;
    const StageMask allowed = idle ? worker.hosts() : Without(worker.hosts(), idle_hosts);
    if ((allowed & runnable) == 0 && !suspect_waits && backlog_->lines().empty(id)) continue;
    best = {.worker = id, .suspect = suspect_waits, .allowed = allowed};
    if (idle) return best;
    least_load = worker.load();
  }
  return best;
}

void Dispatcher::RunLine(WorkerId id, TimePoint now) {
  const SurvivorLines& lines = backlog_->lines();
  Flight& batch = (*workers_)[id].draft();
  batch.stage = lines.head_stage(id);
  batch.rows = 0;
  batch.alone = false;
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
  Worker& worker = (*workers_)[id];
  Flight& batch = worker.draft();
  batch.stage = Lowest(static_cast<StageMask>(worker.hosts() & backlog_->suspect_stages()));
  batch.rows = 0;
  batch.alone = true;
  Take(batch, backlog_->suspect(batch.stage), step_times_->Recent(batch.stage, 1, now), now);
  Send(id, now);
}

void Dispatcher::RunQueue(WorkerId id, int index, TimePoint now) {
  const StageQueue& queue = backlog_->queue(index);
  const StageState& at = stage(index);
  Flight& batch = (*workers_)[id].draft();
  batch.stage = index;
  batch.rows = 0;
  batch.alone = false;
  const int rows = RowsToTake({.available = queue.size(),
                               .max_batch = at.policy.max_batch,
                               .buckets = at.spec->buckets,
                               .step_times = step_times_->means(index),
                               .slack = queue.head_urgency().deadline() - now});
  const std::optional<Duration> step = step_times_->Recent(index, rows, now);
  // When the most urgent sample is given up, another number of rows may be right.
  if (!Take(batch, queue.head(), step, now)) return;
  while (batch.rows < rows && !queue.empty()) Take(batch, queue.head(), step, now);
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
  Worker& worker = (*workers_)[id];
  Flight& batch = worker.draft();
  if (batch.rows == 0) return;
  const StageState& at = stage(batch.stage);
  batch.sequence = ++sequence_;
  batch.threshold_epoch = at.threshold_epoch;
  batch.dispatched = now;
  worker.Launch();
  actions_->Dispatch({.worker = id,
                      .sequence = batch.sequence,
                      .stage = batch.stage,
                      .threshold = at.threshold,
                      .slots = batch.samples()});
}

TimePoint Dispatcher::NextRipe(TimePoint now) const {
  if (backlog_->empty()) return TimePoint::max();
  StageMask free = 0;
  for (const WorkerId id : workers_->by_preference()) {
    const Worker& worker = (*workers_)[id];
    if (worker.has_credit()) free |= worker.hosts();
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
