#include "profiling/stage_run.h"

#include <algorithm>
#include <cstdint>
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
constexpr size_t kWindows = 5;     // the fewest whose median bears two that were disturbed

// From result to result, so that it does not matter when the statistics were asked for.
StepFigures FiguresBetween(const StageStatistics& before, const StageStatistics& after) {
  const auto batches = static_cast<double>(after.batches - before.batches);
  const Duration took(static_cast<Duration::rep>(after.last_finished_ns - before.last_finished_ns));
  return {.rate = batches / Seconds(took).count(),
          .step = Seconds((after.step_time.sum - before.step_time.sum) / batches)};
}

}  // namespace

absl::StatusOr<int> SlotsFor(CascadeSpec cascade, int clients) {
  const int rows = cascade.stages.front().buckets.back();
  const int slots = std::exchange(cascade.slots, 1);
  const absl::StatusOr<SlabLayout> layout = SlabLayout::For(cascade);
  if (!layout.ok()) return layout.status();
  const size_t fitting = (kMaxSlabBytes - SlabLayout::kHeaderBytes) / layout->stride;
  if (fitting < static_cast<size_t>(rows)) {
    return absl::InvalidArgumentError(absl::StrCat("a sample of ", cascade.name, " takes ",
                                                   layout->stride, " bytes: 1 GiB holds ", fitting,
                                                   " of them, a batch has ", rows));
  }
  // For the requests under way, and one of each client that is answered but not released.
  const int wanted = std::max(slots, (kRequestsPerClient + 1) * clients * rows);
  return static_cast<int>(std::min(static_cast<size_t>(wanted), fitting));
}

// Ends the windows of a measurement where the clients have done alike. Used by one thread.
class StageRun::Rounds {
 public:
  // Of clients that have not finished anything yet. `loop` outlives this.
  Rounds(ClosedLoop* loop, int clients) : loop_(loop), clients_(clients) {}

  // Blocks until `least` has passed and the clients have finished `rounds` more batches each, or
  // more but a whole number, on average; at most until `deadline`. The first failure of a request.
  absl::Status Finish(int rounds, Duration least, TimePoint deadline) {
    const absl::Status status = loop_->WaitUntil(std::min(Clock::now() + least, deadline));
    if (!status.ok()) return status;
    const int64_t begun = (loop_->answered() + clients_ - 1) / clients_;
    finished_ = std::max(finished_ + rounds, begun);
    return loop_->WaitForAnswers(finished_ * clients_, deadline);
  }

 private:
  ClosedLoop* const loop_;
  const int clients_;
  int64_t finished_ = 0;  // rounds
};

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
  const absl::Status status = engine_->SetPlan(plan_).status();
  if (status.ok()) return status;
  for (const EngineStatus::Worker& worker : engine_->AwaitStatus().workers) {
    for (const BucketCheck& check : worker.checks) {
      if (check.verdict == Verdict::kWrong) return absl::DataLossError(check.message);
    }
  }
  return status;
}

std::string StageRun::Way() const {
  const std::vector<BucketCheck> checks = engine_->AwaitStatus().workers.front().checks;
  return checks.empty() ? "" : checks.front().way;
}

absl::StatusOr<StepFigures> StageRun::MeasureSaturated(const MeasurementTimes& times) {
  return Measure(kRequestsPerClient * clients(), /*rotate_slots=*/true, times);
}

absl::StatusOr<StepFigures> StageRun::MeasureAlone(const MeasurementTimes& times) {
  return Measure(1, /*rotate_slots=*/false, times);
}

// A request is a batch, so answers count batches; the times are those of the engine.
absl::StatusOr<StepFigures> StageRun::Measure(int requests, bool rotate_slots,
                                              const MeasurementTimes& times) {
  ClosedLoop loop(engine_.get(), {.clients = requests,
                                  .rows = plan_.stages.front().max_batch,
                                  .fill = [](SlotId) {},
                                  .rotate_slots = rotate_slots});
  Rounds rounds(&loop, clients());
  absl::Status status = rounds.Finish(kWarmUpBatches, times.warm_up, Clock::now() + times.most);
  if (!status.ok()) return status;
  const bool warmed_up = loop.answered() > 0;
  const uint64_t restarts = engine_->AwaitStatus().worker_restarts;
  const absl::StatusOr<std::vector<StepFigures>> windows = MeasureWindows(rounds, times);
  if (!windows.ok()) return windows.status();
  if (engine_->AwaitStatus().worker_restarts != restarts) {
    return absl::UnavailableError("a worker ended while it was measured");
  }
  if (!warmed_up || windows->empty()) {
    return absl::DeadlineExceededError(absl::StrCat("no batch of ", plan_.stages.front().max_batch,
                                                    " rows was finished in ",
                                                    Seconds(times.most).count(), " s"));
  }
  return MedianOf(*windows);
}

// One that `most` cuts short counts only where it is all there is.
absl::StatusOr<std::vector<StepFigures>> StageRun::MeasureWindows(Rounds& rounds,
                                                                  const MeasurementTimes& times) {
  const TimePoint deadline = Clock::now() + times.most;
  std::vector<StepFigures> windows;
  StageStatistics before = engine_->AwaitStatus().stages.front().statistics;
  while (windows.size() < kWindows) {
    if (absl::Status status = rounds.Finish(1, times.window, deadline); !status.ok()) return status;
    const bool cut_short = Clock::now() >= deadline;
    const StageStatistics after = engine_->AwaitStatus().stages.front().statistics;
    const bool any_finished = after.last_finished_ns > before.last_finished_ns;
    if (any_finished && (!cut_short || windows.empty())) {
      windows.push_back(FiguresBetween(before, after));
    }
    if (cut_short) break;
    before = after;
  }
  return windows;
}

size_t StageRun::WorkerMemory() const {
  size_t most = 0;
  for (const EngineStatus::Worker& worker : engine_->AwaitStatus().workers) {
    most = std::max(most, worker.device_memory);
  }
  return most;
}

}  // namespace escan
