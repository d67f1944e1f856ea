#include "scheduling/scheduler_core.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <string>

namespace escan {
namespace {

// A row that was at a worker in more ends than this, none of them its fault as far as is known,
// is suspected anyhow, so that no row is replayed for ever.
constexpr int kMaxBlamelessEnds = 8;

constexpr int kHangFactor = 10;
constexpr Duration kLeastHang = std::chrono::seconds(1);
// While few steps were measured, or others on the device hold up the worker.
constexpr Duration kLeastUncertainHang = std::chrono::seconds(10);

// Of the batch's size, and of what it was computed for.
bool Answers(const BatchResult& result, const Flight& flight) {
  const auto rows = static_cast<size_t>(flight.rows);
  if (result.scores.size() != rows || result.exits.size() != rows || result.failed.size() != rows) {
    return false;
  }
  if (flight.purpose == BatchPurpose::kCompare) return result.differs.size() == rows;
  return std::ranges::count(result.differs, 0) == std::ssize(result.differs);
}

std::vector<StageState> MakeStages(const CascadeSpec& cascade, const SchedulerOptions& options) {
  std::vector<StageState> stages;
  const std::vector<StageCalibration>& calibration = cascade.calibration.stages;
  for (const StageSpec& stage : cascade.stages) {
    const size_t index = stages.size();
    const ScoreHistogram scores =
        index < calibration.size() ? calibration[index].scores : ScoreHistogram{};
    stages.emplace_back(stage, options.exit_window, ScoreDrift(scores, options.drift));
  }
  return stages;
}

}  // namespace

Scheduler::Core::Core(const CascadeSpec& cascade, const Plan& plan,
                      std::span<const SlotId> next_slot, SchedulerActions* actions,
                      const SchedulerOptions& options)
    : cascade_(cascade),
      actions_(actions),
      stages_(MakeStages(cascade, options)),
      step_times_(cascade),
      requests_(cascade.stage_count(), next_slot, actions),
      backlog_(requests_.backlog()),
      dispatcher_(&stages_, &requests_, &workers_, &step_times_, actions),
      spare_(&requests_, &workers_),
      verifier_(options.verify_every, &spare_, &stages_, &requests_, &workers_, &dispatcher_,
                actions),
      auditor_(options.audit_every, cascade, &spare_, &requests_, &dispatcher_, actions),
      brown_out_(options.brown_out ? cascade.lowest_thresholds : std::vector<float>()) {
  SetPolicies(plan.stages, plan.options);
  CompareScores();
}

// --- requests

void Scheduler::Core::Admit(const Admission& admission, TimePoint now) {
  const Duration first_step = step_times_.Recent(0, 1, now).value_or(Duration::zero());
  if (now >= admission.deadline || first_step > admission.deadline - now) {
    actions_->Complete(admission.key, {.code = OutcomeCode::kDeadlineExceeded});
    actions_->Settled(admission.key);
    return;
  }
  if (brown_out_.on()) brown_out_.Admitted(admission.deadline - now);
  requests_.Open(admission);
  requests_.ForEachSlot(admission.key.first_slot, [&](SlotId slot) {
    backlog_.Queue(slot, 0, now);
    QueueSpeculative(slot, 1, now);
  });
}

void Scheduler::Core::Cancel(const RequestKey& key) {
  const SlotId first = requests_.Find(key);
  if (first != kNoSlot) requests_.Complete(first, {.code = OutcomeCode::kCancelled});
}

void Scheduler::Core::FailAll() {
  requests_.CompleteAll({.code = OutcomeCode::kUnavailable});
  verifier_.GiveUp();
  auditor_.GiveUp();
}

// --- workers

void Scheduler::Core::WorkerReady(WorkerId id, const std::vector<int>& stages, int credits,
                                  TimePoint now, int fault_domain) {
  WorkerGone(id, WorkerEnd::kBlameless, now);
  StageMask hosts = 0;
  for (const int stage : stages) hosts |= StageBit(stage);
  workers_.Start(id, hosts, credits, fault_domain);
}

void Scheduler::Core::WorkerDraining(WorkerId id, TimePoint now) {
  if (workers_.Find(id) == nullptr) return;
  workers_.Drain(id);
  backlog_.Disband(id, now);
}

bool Scheduler::Core::idle(WorkerId id) const {
  const Worker* worker = workers_.Find(id);
  return worker == nullptr || worker->load() == 0;
}

bool Scheduler::Core::BatchDone(WorkerId id, const BatchResult& result, TimePoint now) {
  const Worker* worker = workers_.Find(id);
  const Flight* flight = worker == nullptr ? nullptr : worker->Find(result.sequence);
  if (flight == nullptr || !Answers(result, *flight)) return false;
  workers_.Land(id, *flight, now);
  if (flight->purpose == BatchPurpose::kCompare) {
    verifier_.Land(id, result, now);
  } else if (flight->audit) {
    auditor_.Land(result, now);
  } else {
    LandBatch({.worker = id, .flight = *flight, .now = now}, result);
  }
  return true;
}

void Scheduler::Core::BatchUnsent(WorkerId id, uint64_t sequence, TimePoint now) {
  const Worker* worker = workers_.Find(id);
  const Flight* flight = worker == nullptr ? nullptr : worker->Find(sequence);
  if (flight != nullptr) ReturnBatch(id, *flight, WorkerEnd::kBlameless, now);
}

void Scheduler::Core::WorkerGone(WorkerId id, WorkerEnd end, TimePoint now) {
  if (workers_.Find(id) == nullptr) return;
  ReturnBatches(id, end, now);
  verifier_.Forget(id);
  workers_.End(id);
  backlog_.Disband(id, now);
}

TimePoint Scheduler::Core::HangDeadline(WorkerId id, bool disturbed) const {
  const Worker* worker = workers_.Find(id);
  const Flight* oldest = worker == nullptr ? nullptr : worker->oldest();
  if (oldest == nullptr) return TimePoint::max();
  const StepTimes::Longest longest =
      step_times_.LongestOf(oldest->stage, oldest->rows).value_or(StepTimes::Longest());
  const Duration least = longest.certain && !disturbed ? kLeastHang : kLeastUncertainHang;
  return oldest->head_since + std::max(kHangFactor * longest.p99, least);
}

// The batch dispatched last is returned first, its last row first: each goes before the ones
// returned so far.
void Scheduler::Core::ReturnBatches(WorkerId id, WorkerEnd end, TimePoint now) {
  while (const Flight* flight = workers_[id].newest()) {
    ReturnBatch(id, *flight, end, now);
  }
}

void Scheduler::Core::ReturnBatch(WorkerId id, const Flight& flight, WorkerEnd end, TimePoint now) {
  workers_.Land(id, flight, now);
  if (flight.purpose == BatchPurpose::kCompare) return verifier_.Lost();
  if (flight.audit) return auditor_.Lost();
  for (size_t row = flight.samples().size(); row-- > 0;) {
    ReturnRow(flight, flight.slots[row], end);
  }
}

void Scheduler::Core::ReturnRow(const Flight& flight, SlotId slot, WorkerEnd end) {
  const int stage = flight.stage;
  backlog_.Land(slot, stage);
  Sample& sample = requests_.sample(slot);
  if (sample.answered) return requests_.Settle(slot);
  if (end == WorkerEnd::kSuspect && flight.alone) {
    ++at(stage).statistics.samples_failed;
    requests_.CompleteFor(slot,
                          {.code = OutcomeCode::kWorkerKilled,
                           .stage = stage,
                           .message = "the worker process ended twice while it held this row"});
    return;
  }
  if (end == WorkerEnd::kSuspect || ++sample.blameless_ends > kMaxBlamelessEnds) {
    sample.blameless_ends = 0;
    backlog_.Suspect(slot, stage);
  }
  backlog_.Requeue(slot, stage, flight.dispatched);
}

// --- results

void Scheduler::Core::LandBatch(const Landing& landing, const BatchResult& result) {
  const Flight& flight = landing.flight;
  RecordBatch(landing, result.execute_time);
  workers_.Answered(landing.worker, flight.rows);
  verifier_.Offer(landing.worker, flight, result, landing.now);
  for (size_t row = 0; row < flight.samples().size(); ++row) LandRow(landing, row, result);
}

void Scheduler::Core::RecordBatch(const Landing& landing, Duration execute_time) {
  const Flight& flight = landing.flight;
  const TimePoint now = landing.now;
  const auto rows = static_cast<uint64_t>(flight.rows);
  const auto execute_ns = static_cast<uint64_t>(std::max<int64_t>(execute_time.count(), 0));
  step_times_.Add(flight.stage, flight.rows, now - flight.head_since, now);
  StageStatistics& statistics = at(flight.stage).statistics;
  ++statistics.batches;
  statistics.samples_executed += rows;
  statistics.batch_rows.Add(kBatchBounds, static_cast<double>(rows));
  statistics.step_time.Add(kLatencyBounds,
                           std::chrono::duration<double>(now - flight.dispatched).count());
  ++statistics.batches_of_rows[rows];
  statistics.execute_ns_of_rows[rows] += execute_ns;
  statistics.execute_ns += execute_ns;
  statistics.last_finished_ns = static_cast<uint64_t>(now.time_since_epoch().count());
}

void Scheduler::Core::LandRow(const Landing& landing, size_t row, const BatchResult& result) {
  const Flight& flight = landing.flight;
  const int stage = flight.stage;
  const SlotId slot = flight.slots[row];
  const bool failed = result.failed[row] != 0;
  const bool nan = std::isnan(result.scores[row]);
  if (failed) {
    ++at(stage).statistics.samples_failed;
  } else if (nan && at(stage).spec->exit.score != ExitScore::kNone) {
    ++at(stage).statistics.score_nan;
  }
  backlog_.Land(slot, stage);
  backlog_.Clear(slot, stage, landing.now);
  Sample& sample = requests_.sample(slot);
  if (sample.answered) return requests_.Settle(slot);

  const int frontier = sample.frontier();
  if (!failed && stage == frontier) CountScore(stage, result.scores[row], landing.now);
  const bool exits = result.exits[row] != 0 && !nan;
  if (failed) {
    // The message is about the first failed row, which may be another client's.
    const auto first = std::find(result.failed.begin(), result.failed.end(), uint8_t{1});
    const bool is_first = first == result.failed.begin() + static_cast<ptrdiff_t>(row);
    requests_.Failed(slot, stage, is_first ? result.message : "the model failed on this row");
  } else if (exits || stage + 1 == stage_count()) {
    requests_.Passed(slot, {static_cast<int8_t>(stage), result.scores[row], flight.brown_out});
  } else {
    sample.declined |= StageBit(stage);
  }
  if (flight.threshold_epoch != at(stage).threshold_epoch) sample.outdated |= StageBit(stage);
  if (stage == frontier) Proceed(landing, slot, stage);
}

void Scheduler::Core::Proceed(const Landing& landing, SlotId slot, int stage) {
  const Sample& sample = requests_.sample(slot);
  for (; Contains(sample.declined, stage); ++stage) CountExit(sample, stage, false, landing.now);
  if (Contains(sample.passed, stage)) {
    CountExit(sample, stage, true, landing.now);
    ++at(stage).statistics.samples_exited;
    auditor_.Offer(slot, stage, landing.now);
    requests_.Answer(slot, options_.cancel == CancelPolicy::kQueued);
  } else if (Contains(sample.failed, stage)) {
    requests_.CompleteFor(slot, {.code = OutcomeCode::kStageFailed,
                                 .stage = stage,
                                 .message = requests_.failure(slot, stage)});
  } else if (!Contains(sample.begun(), stage)) {
    QueueOn(landing, slot, stage);
  }
}

// A copy that an earlier stage has not answered yet is left out, as it may not have had to come.
void Scheduler::Core::CountScore(int stage, float score, TimePoint now) {
  StageState& state = at(stage);
  if (!state.drift.on()) return;
  const uint64_t windows = state.drift.status().windows;
  const bool changed = state.drift.Add(score, now);
  if (state.drift.status().windows == windows) return;
  state.statistics.drift = state.drift.status();
  if (changed) actions_->Drifted(stage, state.statistics.drift);
}

void Scheduler::Core::CompareScores() {
  if (cascade_.calibration.stages.empty()) return;
  bool comparable = true;
  for (int i = 0; i < stage_count(); ++i) {
    StageState& state = at(i);
    const std::optional<float>& calibrated =
        cascade_.calibration.stages[static_cast<size_t>(i)].threshold;
    state.drift.Compare(comparable);
    state.statistics.drift = state.drift.status();
    comparable = comparable && (!calibrated.has_value() || *calibrated == state.threshold);
  }
}

void Scheduler::Core::CountExit(const Sample& sample, int stage, bool exited, TimePoint now) {
  if (Contains(sample.outdated, stage)) return;
  StageState& state = at(stage);
  state.exits.Count(exited, now);
  state.statistics.exits = state.exits.windows();
}

void Scheduler::Core::QueueOn(const Landing& landing, SlotId slot, int stage) {
  const Worker& worker = workers_[landing.worker];
  const bool stays = !options_.regroup && worker.accepts() && Contains(worker.hosts(), stage);
  if (stays) {
    backlog_.QueueAt(landing.worker, landing.flight.sequence, slot, stage, landing.now);
  } else {
    backlog_.Queue(slot, stage, landing.now);
  }
  QueueSpeculative(slot, stage + 1, landing.now);
}

void Scheduler::Core::QueueSpeculative(SlotId slot, int stage, TimePoint now) {
  for (; stage < stage_count() && at(stage).policy.speculate; ++stage) {
    if (!Contains(requests_.sample(slot).begun(), stage)) backlog_.Queue(slot, stage, now);
  }
}

// --- decisions

void Scheduler::Core::SetPolicies(const std::vector<StagePolicy>& stages,
                                  const PlanOptions& options) {
  for (int i = 0; i < stage_count(); ++i) {
    at(i).policy = stages[static_cast<size_t>(i)];
    at(i).policy.max_batch = std::clamp(at(i).policy.max_batch, 1, kMaxBatchRows);
  }
  options_ = options;
}

void Scheduler::Core::SetThreshold(int stage, float threshold) {
  at(stage).set_threshold = threshold;
  ApplyThreshold(stage);
  CompareScores();
}

void Scheduler::Core::ApplyThreshold(int stage) {
  StageState& state = at(stage);
  state.threshold = brown_out_.Threshold(stage, state.set_threshold);
  ++state.threshold_epoch;
  state.exits.Reset();
  state.statistics.exits = {};
  for (Sample& sample : requests_.samples()) {
    sample.outdated |= static_cast<StageMask>((sample.declined | sample.passed) & StageBit(stage));
  }
}

double Scheduler::Core::Pressure(TimePoint now) const {
  const double used =
      static_cast<double>(requests_.slots_used()) / static_cast<double>(requests_.slots());
  const auto budget = static_cast<double>(brown_out_.mean_budget().count());
  if (budget <= 0) return used;
  Duration longest{};
  for (int stage = 0; stage < stage_count(); ++stage) {
    const StageQueue& queue = requests_.backlog().queue(stage);
    if (!queue.empty()) longest = std::max(longest, now - queue.oldest_since());
  }
  return std::max(used, static_cast<double>(longest.count()) / budget);
}

// The levels of all stages go together, and the stages that are not lowered keep what they count.
void Scheduler::Core::UpdateBrownOut(TimePoint now) {
  if (!brown_out_.Update(Pressure(now), now)) return;
  for (int stage = 0; stage < stage_count(); ++stage) {
    at(stage).brown_out = static_cast<uint8_t>(brown_out_.level());
    const float threshold = brown_out_.Threshold(stage, at(stage).set_threshold);
    if (threshold != at(stage).threshold) ApplyThreshold(stage);
  }
  CompareScores();
  actions_->BrownedOut(brown_out_.level());
}

TimePoint Scheduler::Core::Advance(TimePoint now) {
  requests_.Expire(now);
  for (StageState& stage : stages_) {
    stage.exits.Roll(now);
    stage.statistics.exits = stage.exits.windows();
  }
  if (brown_out_.on()) UpdateBrownOut(now);
  dispatcher_.Run(now);
  verifier_.Advance(now);
  auditor_.Advance(now);
  return std::min({requests_.NextDeadline(), dispatcher_.NextRipe(now), verifier_.due(),
                   auditor_.due(), brown_out_.due()});
}

}  // namespace escan
