#include "profiling/stage_run.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ipc/slab_layout.h"
#include "profiling/closed_loop.h"
#include "profiling/random_inputs.h"

namespace escan {
namespace {

constexpr int kCredits = 2;
// With these under way a client has the batch that it runs, the one that waits at the worker, and
// one for the time between an answer and the next request.
constexpr int kRequestsPerClient = kCredits + 1;
constexpr int kWarmUpBatches = 2;  // of each client

// Slots for the requests under way, and as many for a client each that is answered but not
// released, as far as the slab may grow.
absl::StatusOr<int> SlotsFor(CascadeSpec cascade, int clients) {
  const int rows = cascade.stages.front().buckets.back();
  cascade.slots = 1;
  const absl::StatusOr<SlabLayout> layout = SlabLayout::For(cascade);
  if (!layout.ok()) return layout.status();
  const size_t fitting = (kMaxSlabBytes - SlabLayout::kHeaderBytes) / layout->stride;
  if (fitting < static_cast<size_t>(rows)) {
    return absl::InvalidArgumentError(absl::StrCat("a sample of ", cascade.name, " takes ",
                                                   layout->stride, " bytes: 1 GiB holds ", fitting,
                                                   " of them, a batch has ", rows));
  }
  const auto wanted = static_cast<size_t>((kRequestsPerClient + 1) * clients * rows);
  return static_cast<int>(std::min(wanted, fitting));
}

// From result to result, so that it does not matter when the statistics were asked for.
StepFigures FiguresBetween(const StageStatistics& before, const StageStatistics& after) {
  const auto batches = static_cast<double>(after.batches - before.batches);
  const Duration took(static_cast<Duration::rep>(after.last_finished_ns - before.last_finished_ns));
  return {.rate = batches / Seconds(took).count(),
          .step = Seconds((after.step_time.sum - before.step_time.sum) / batches)};
}

}  // namespace

absl::StatusOr<std::unique_ptr<StageRun>> StageRun::Start(CascadeSpec cascade, int thread_percent,
                                                          int clients,
                                                          const EngineOptions& options) {
  const absl::StatusOr<int> slots = SlotsFor(cascade, clients);
  if (!slots.ok()) return slots.status();
  cascade.slots = *slots;
  Plan plan;
  plan.workers = {
      {.count = clients, .thread_percent = thread_percent, .credits = kCredits, .stages = {0}}};
  plan.stages = {{.max_batch = cascade.stages.front().buckets.back()}};
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Start(cascade, plan, options);
  if (!engine.ok()) return engine.status();
  FillSlots(**engine);
  return std::unique_ptr<StageRun>(new StageRun(*std::move(engine), plan));
}

StageRun::StageRun(std::unique_ptr<Engine> engine, const Plan& plan)
    : engine_(std::move(engine)), plan_(plan) {}

absl::Status StageRun::Set(int clients, int rows) {
  plan_.workers.front().count = clients;
  plan_.stages.front().max_batch = rows;
  return engine_->SetPlan(plan_).status();
}

absl::StatusOr<StepFigures> StageRun::MeasureSaturated(const MeasurementTimes& times) {
  return Measure(kRequestsPerClient * clients(), times);
}

absl::StatusOr<StepFigures> StageRun::MeasureAlone(const MeasurementTimes& times) {
  return Measure(1, times);
}

// A request is a batch, so answers count batches; the times are those of the engine.
absl::StatusOr<StepFigures> StageRun::Measure(int requests, const MeasurementTimes& times) {
  ClosedLoop loop(
      engine_.get(),
      {.clients = requests, .rows = plan_.stages.front().max_batch, .fill = [](SlotId) {}});
  const auto run = [&](Duration least, int batches) {
    const TimePoint start = Clock::now();
    absl::Status status = loop.WaitForAnswers(int64_t{batches} * clients(), start + times.most);
    status.Update(loop.WaitUntil(start + least));
    return status;
  };
  if (absl::Status status = run(times.warm_up, kWarmUpBatches); !status.ok()) return status;
  const bool warmed_up = loop.answered() > 0;
  const EngineStatus begin = engine_->Status();
  if (absl::Status status = run(times.least, times.least_batches); !status.ok()) return status;
  const EngineStatus end = engine_->Status();
  const StageStatistics& before = begin.stages.front().statistics;
  const StageStatistics& after = end.stages.front().statistics;
  if (end.worker_restarts != begin.worker_restarts) {
    return absl::UnavailableError("a worker ended while it was measured");
  }
  if (!warmed_up || after.batches == before.batches) {
    return absl::DeadlineExceededError(absl::StrCat("no batch of ", plan_.stages.front().max_batch,
                                                    " rows was finished in ",
                                                    Seconds(times.most).count(), " s"));
  }
  return FiguresBetween(before, after);
}

size_t StageRun::WorkerMemory() const {
  size_t most = 0;
  for (const EngineStatus::Worker& worker : engine_->Status().workers) {
    most = std::max(most, worker.device_memory);
  }
  return most;
}

}  // namespace escan
