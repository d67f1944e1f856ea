#include "simulation/simulation_run.h"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace escan {
namespace {

// Far enough from the clock's epoch for all that looks back.
constexpr TimePoint kStart{std::chrono::hours(1)};

int64_t RequestsOf(int64_t samples, int rows) { return (samples + rows - 1) / rows; }

int DeviceCount(const Plan& plan) {
  int count = 0;
  for (const WorkerGroup& group : plan.workers) count = std::max(count, group.device + 1);
  return count;
}

}  // namespace

SimulationRun::SimulationRun(const SimulatedSystem& system, const SimulatedLoad& load)
    : system_(system),
      load_(load),
      warmup_requests_(RequestsOf(load.warmup_samples, load.rows)),
      measured_requests_(RequestsOf(load.samples, load.rows)),
      costs_(system.profile),
      chains_(system.cascade.slots, load.rows),
      scheduler_(system.cascade, system.plan, chains_.next(), this),
      arrivals_(load, warmup_requests_ + measured_requests_, kStart),
      exits_(load.exits, load.seed),
      tally_(system.plan, measured_requests_,
             system.cascade.latency_objective.value_or(Duration::max()), load.late_limit),
      devices_(static_cast<size_t>(DeviceCount(system.plan)), DeviceModel(system.profile.knee)),
      clients_(devices_.size()),
      requests_(chains_.next().size() / static_cast<size_t>(load.rows)),
      exit_stages_(chains_.next().size()),
      now_(kStart) {
  StartWorkers();
}

void SimulationRun::StartWorkers() {
  for (size_t g = 0; g < system_.plan.workers.size(); ++g) {
    const WorkerGroup& group = system_.plan.workers[g];
    clients_[static_cast<size_t>(group.device)] += group.count;
    for (int i = 0; i < group.count; ++i) {
      const auto id = static_cast<WorkerId>(workers_.size());
      workers_.emplace_back(static_cast<int>(g), group.credits);
      scheduler_.WorkerReady(id, group.stages, group.credits, now_);
    }
  }
}

SimulationReport SimulationRun::Run() {
  for (TimePoint next = NextEvent(); next != TimePoint::max() && !tally_.past_limit();
       next = NextEvent()) {
    now_ = next;
    FinishSteps();
    AdmitRequests();
    timer_ = scheduler_.Advance(now_);
  }
  return tally_.Report();
}

TimePoint SimulationRun::NextArrival() const {
  const TimePoint sent = arrivals_.Next();
  return sent == TimePoint::max() ? sent : sent + load_.overhead;
}

TimePoint SimulationRun::NextEvent() const {
  TimePoint next = std::min(NextArrival(), timer_);
  for (const DeviceModel& device : devices_) next = std::min(next, device.NextFinish());
  return next;
}

void SimulationRun::AdmitRequests() {
  while (NextArrival() <= now_) {
    const Request request{.id = ++sent_, .sent = arrivals_.Next()};
    arrivals_.Take();
    Admit(request);
  }
}

void SimulationRun::Admit(const Request& request) {
  if (measured(request)) tally_.Sent(request.sent);
  const std::optional<SlotId> first = chains_.Take();
  // Drawn for refused ones too: that a request is refused changes nothing for those after it.
  for (int row = 0; row < load_.rows; ++row) {
    const int stage = exits_.Next(request.sent - kStart);
    if (first) exit_stages_[*first + static_cast<SlotId>(row)] = static_cast<uint8_t>(stage);
  }
  if (!first) return End(request, RequestEnd::kRefused);
  at(*first) = request;
  scheduler_.Admit({.key = {.first_slot = *first, .id = request.id},
                    .rows = load_.rows,
                    .arrival = request.sent,
                    .deadline = request.sent + std::min(load_.deadline, system_.cascade.deadline)},
                   now_);
}

void SimulationRun::Complete(const RequestKey& key, const Outcome& outcome) {
  const Request& request = at(key.first_slot);
  const bool served = outcome.code == OutcomeCode::kOk;
  if (served && measured(request)) {
    for (int row = 0; row < load_.rows; ++row) {
      tally_.Exited(scheduler_.answer(key.first_slot + static_cast<SlotId>(row)).stage);
    }
  }
  End(request, served ? RequestEnd::kServed : RequestEnd::kDeadlineExceeded);
}

void SimulationRun::End(const Request& request, RequestEnd end) {
  if (measured(request)) tally_.Ended(end, load_.rows, request.sent, now_);
  arrivals_.Answered(end == RequestEnd::kServed, now_);
}

void SimulationRun::Dispatch(const Batch& batch) {
  SimulatedWorker& worker = workers_[static_cast<size_t>(batch.worker)];
  const bool idle = worker.holds_nothing();
  worker.Add(batch);
  if (idle) BeginStep(batch.worker, /*steadily=*/false);
}

void SimulationRun::BeginStep(WorkerId id, bool steadily) {
  SimulatedWorker& worker = workers_[static_cast<size_t>(id)];
  const auto device = static_cast<size_t>(group(worker).device);
  const int share = group(worker).thread_percent;
  SimulatedWorker::HeldBatch& batch = worker.first();
  batch.begin = now_;
  devices_[device].Start(id,
                         steadily ? costs_.SteadyStepTime(batch.stage, batch.rows, share)
                                  : costs_.StepTime(batch.stage, batch.rows, share),
                         costs_.DeviceTime(batch.stage, batch.rows, share, clients_[device]), now_);
}

void SimulationRun::FinishSteps() {
  for (DeviceModel& device : devices_) {
    while (device.NextFinish() <= now_) FinishStep(device.FinishNext());
  }
}

void SimulationRun::FinishStep(WorkerId id) {
  SimulatedWorker& worker = workers_[static_cast<size_t>(id)];
  const SimulatedWorker::HeldBatch& batch = worker.first();
  worker.RemoveFirst();
  if (!worker.holds_nothing()) BeginStep(id, /*steadily=*/true);
  tally_.Ran({.group = worker.group(),
              .stage = batch.stage,
              .rows = batch.rows,
              .begin = batch.begin,
              .end = now_});
  const auto rows = static_cast<size_t>(batch.rows);
  for (size_t row = 0; row < rows; ++row) {
    passed_[row] = batch.stage >= exit_stages_[batch.slots[row]];
  }
  scheduler_.BatchDone(id,
                       {.sequence = batch.sequence,
                        .scores = {scores_.data(), rows},
                        .exits = {passed_.data(), rows},
                        .failed = {failed_.data(), rows},
                        .message = {},
                        .execute_time = now_ - batch.begin},
                       now_);
}

}  // namespace escan
