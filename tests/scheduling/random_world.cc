#include "scheduling/random_world.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace escan {

RandomWorld::RandomWorld(uint32_t seed, Events events) : Dice(seed) {
  only_culprits_ = events == Events::kOnlyCulprits;
  cascade_.stages.resize(static_cast<size_t>(Number(1, 4)));
  stages_ = static_cast<int>(cascade_.stages.size());
  for (StageSpec& stage : cascade_.stages) {
    stage.buckets = {1, 4, kLargestBucket};
    stage.exit.threshold = 0.5f;
  }
  plan_.stages = Policies(stages_);
  plan_.options = RandomOptions();
  NoteSpeculation();
  next_slot_.assign(static_cast<size_t>(Number(4, 40)), kNoSlot);
  owner_.assign(next_slot_.size(), 0);
  workers_.resize(static_cast<size_t>(Number(1, 6)));
  fault_domains_ = Number(0, 2);
  if (Chance(50)) faulty_ = Number(0, static_cast<int>(workers_.size()) - 1);
  scheduler_ =
      std::make_unique<Scheduler>(cascade_, plan_, next_slot_, this,
                                  SchedulerOptions{.verify_every = Chance(70) ? Number(1, 20) : 0});
  for (int id = 0; id < static_cast<int>(workers_.size()); ++id) Ready(id);
}

void RandomWorld::Run(int events) {
  for (int i = 0; i < events && !::testing::Test::HasFatalFailure(); ++i) {
    Happen();
    Settle();
  }
  Finish();
}

PlanOptions RandomWorld::RandomOptions() {
  const bool never = Chance(30);
  never_cancelled_ |= never;
  return {.regroup = Chance(60), .cancel = never ? CancelPolicy::kNever : CancelPolicy::kQueued};
}

void RandomWorld::Happen() {
  switch (Number(0, 19)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return Admit();
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
    case 10:
      return FinishSomeBatch();
    case 11:
    case 12:
      now_ += microseconds(Number(0, 2000));
      return;
    case 13:
      now_ += Chance(20) ? Duration(milliseconds(Number(1, 400))) : Duration(microseconds(10));
      return;
    case 14:
      return Cancel();
    case 15:
      return EndSomeWorker();
    case 16:
      return Garbage();
    case 17:
      return ChangePolicies();
    case 18:
      if (Chance(50)) return DrainSomeWorker();
      return ChangeThreshold();
    case 19:
      if (Chance(5) && !only_culprits_) FailAll();
      return;
  }
}

void RandomWorld::Admit() {
  const int rows = Number(1, 5);
  std::vector<SlotId> free;
  for (SlotId slot = 0; slot < owner_.size(); ++slot) {
    if (owner_[slot] == 0) free.push_back(slot);
  }
  if (static_cast<int>(free.size()) < rows) return;
  Shuffle(&free);
  Request request;
  const uint64_t id = ++ids_;
  for (int i = 0; i < rows; ++i) {
    const SlotId slot = free[static_cast<size_t>(i)];
    request.slots.push_back(slot);
    next_slot_[slot] = i + 1 < rows ? free[static_cast<size_t>(i) + 1] : kNoSlot;
    owner_[slot] = id;
    request.rows.push_back(RandomRow());
  }
  request.deadline = now_ + (only_culprits_ ? Duration(std::chrono::hours(1))
                             : Chance(15)   ? Duration(microseconds(Number(-100, 3000)))
                                            : Duration(milliseconds(Number(50, 8000))));
  const Admission admission{.key = {request.slots.front(), id},
                            .rows = rows,
                            .priority = Number(kHighestPriority, kLowestPriority),
                            .arrival = now_,
                            .deadline = request.deadline};
  requests_.emplace(id, std::move(request));
  scheduler_->Admit(admission, now_);
}

Row RandomWorld::RandomRow() {
  Row row;
  for (int i = 0; i < stages_; ++i) {
    row.scores.push_back(Chance(3) ? std::numeric_limits<float>::quiet_NaN()
                                   : static_cast<float>(Number(0, 99)) / 100);
  }
  if (Chance(3)) row.failing_stage = Number(0, stages_ - 1);
  if (Chance(only_culprits_ ? 4 : 1)) row.poison_stage = Number(0, stages_ - 1);
  return row;
}

void RandomWorld::FinishSomeBatch() {
  std::vector<std::pair<int, uint64_t>> all;
  for (int id = 0; id < static_cast<int>(workers_.size()); ++id) {
    for (const auto& [sequence, sent] : workers_[static_cast<size_t>(id)].in_flight) {
      all.emplace_back(id, sequence);
    }
  }
  if (all.empty()) return;
  const auto [id, sequence] = all[static_cast<size_t>(Number(0, static_cast<int>(all.size()) - 1))];
  FinishBatch(id, sequence);
}

void RandomWorld::FinishBatch(int id, uint64_t sequence) {
  WorkerModel& worker = workers_[static_cast<size_t>(id)];
  const Sent sent = worker.in_flight.at(sequence);
  if (sent.compares()) return FinishComparison(id, sent);
  for (const SlotId slot : sent.slots) {
    Row& row = RowAt(slot);
    if (row.poison_stage != sent.stage) continue;
    ++row.workers_killed;
    EXPECT_TRUE(speculated_ || row.workers_killed <= 2);
  }
  for (const SlotId slot : sent.slots) {
    if (RowAt(slot).poison_stage == sent.stage) return Fault(id);
  }
  std::vector<float> scores;
  std::vector<uint8_t> exits;
  std::vector<uint8_t> failed;
  for (const SlotId slot : sent.slots) {
    Row& row = RowAt(slot);
    const float score = row.scores[static_cast<size_t>(sent.stage)];
    scores.push_back(score);
    // A worker that gets NaN wrong must not matter.
    exits.push_back(std::isnan(score) ? Chance(50) : score >= sent.threshold);
    failed.push_back(row.failing_stage == sent.stage);
    row.suspect_stages.erase(sent.stage);
    if (!failed.back()) row.computed[sent.stage] = Compute(id);
    Word& word = row.words[static_cast<size_t>(sent.stage)];
    EXPECT_TRUE(word == Word::kNone || requests_.at(owner_[slot]).complete ||
                Reference(row).first != Word::kNone)
        << "a stage was asked twice";
    const bool passes = score >= sent.threshold || sent.stage + 1 == stages_;
    if (Reference(row).first == Word::kNone) {
      word = failed.back() ? Word::kFailed : passes ? Word::kPassed : Word::kDeclined;
    }
  }
  landing_ = sequence;
  EXPECT_TRUE(scheduler_->BatchDone(id,
                                    {.sequence = sequence,
                                     .scores = scores,
                                     .exits = exits,
                                     .failed = failed,
                                     .message = "threw",
                                     .execute_time = microseconds(10)},
                                    now_));
  landing_ = 0;
  worker.in_flight.erase(sequence);
  EXPECT_EQ(scheduler_->idle(id), worker.in_flight.empty());
}

void RandomWorld::FinishComparison(int id, const Sent& sent) {
  const std::vector<float> scores(sent.slots.size());
  const std::vector<uint8_t> exits(sent.slots.size());
  std::vector<uint8_t> failed;
  std::vector<uint8_t> differs;
  for (const SlotId slot : sent.slots) {
    failed.push_back(Chance(3));
    differs.push_back(Compute(id) != RowAt(slot).computed.at(sent.stage));
  }
  workers_[static_cast<size_t>(id)].in_flight.erase(sent.sequence);
  EXPECT_TRUE(scheduler_->BatchDone(id,
                                    {.sequence = sent.sequence,
                                     .scores = scores,
                                     .exits = exits,
                                     .failed = failed,
                                     .differs = differs,
                                     .message = "row 0",
                                     .execute_time = microseconds(10)},
                                    now_));
  EXPECT_EQ(scheduler_->idle(id), workers_[static_cast<size_t>(id)].in_flight.empty());
}

void RandomWorld::Garbage() {
  const std::vector<float> scores(3);
  const std::vector<uint8_t> bits(3);
  const std::vector<uint8_t> one = {0, 1, 0};
  for (int id = -1; id < static_cast<int>(workers_.size()) + 1; ++id) {
    BatchResult result{.sequence = last_sequence_ + 1,
                       .scores = scores,
                       .exits = bits,
                       .failed = bits,
                       .differs = {},
                       .message = {},
                       .execute_time = {}};
    EXPECT_FALSE(scheduler_->BatchDone(id, result, now_));
    for (const WorkerModel& worker : workers_) {
      for (const auto& [sequence, sent] : worker.in_flight) {
        result.sequence = sequence;
        // All but one that would be taken.
        result.differs = sent.compares() ? std::span<const uint8_t>() : std::span(one);
        EXPECT_FALSE(scheduler_->BatchDone(id, result, now_));
      }
    }
  }
}

void RandomWorld::Cancel() {
  if (ids_ == 0 || only_culprits_) return;
  const auto id = static_cast<uint64_t>(Number(1, static_cast<int>(ids_)));
  cancelling_ = id;
  scheduler_->Cancel({requests_.at(id).slots.front(), id}, now_);
  cancelling_ = 0;
  EXPECT_TRUE(requests_.at(id).complete);
}

void RandomWorld::FailAll() {
  failing_all_ = true;
  scheduler_->FailAll(now_);
  failing_all_ = false;
  EXPECT_EQ(scheduler_->requests(), 0);
}

void RandomWorld::ChangeThreshold() {
  scheduler_->SetThreshold(Number(0, stages_ - 1), static_cast<float>(Number(10, 90)) / 100, now_);
}

void RandomWorld::ChangePolicies() {
  if (!Chance(30)) return;
  plan_.stages = Policies(stages_);
  plan_.options = RandomOptions();
  NoteSpeculation();
  scheduler_->SetPolicies(plan_.stages, plan_.options, now_);
}

void RandomWorld::NoteSpeculation() {
  for (const StagePolicy& policy : plan_.stages) speculated_ |= policy.speculate;
}

void RandomWorld::Ready(int id) {
  WorkerModel& worker = workers_[static_cast<size_t>(id)];
  worker.ready = true;
  worker.draining = false;
  worker.credits = Number(1, 3);
  worker.fault_domain = Number(kNoFaultDomain, fault_domains_ - 1);
  worker.stages.clear();
  const int first = id == 0 || !plan_.options.regroup ? 0 : Number(0, stages_ - 1);
  const int last = id == 0 ? stages_ - 1 : Number(first, stages_ - 1);
  for (int i = first; i <= last; ++i) worker.stages.push_back(i);
  scheduler_->WorkerReady(id, worker.stages, worker.credits, now_, worker.fault_domain);
}

void RandomWorld::EndSomeWorker() {
  const int id = Number(0, static_cast<int>(workers_.size()) - 1);
  EndWorker(id, Chance(30) && !only_culprits_ ? WorkerEnd::kSuspect : WorkerEnd::kBlameless);
}

void RandomWorld::Fault(int culprit) {
  std::vector<int> ending;
  for (int id = 0; id < static_cast<int>(workers_.size()); ++id) {
    WorkerModel& worker = workers_[static_cast<size_t>(id)];
    if (!worker.ready || !ShareFaults(worker, workers_[static_cast<size_t>(culprit)])) continue;
    ending.push_back(id);
    worker.draining = true;
    scheduler_->WorkerDraining(id, now_);
  }
  Shuffle(&ending);
  for (const int id : ending) {
    if (Chance(30)) Settle();
    EndWorker(id, WorkerEnd::kSuspect);
  }
}

void RandomWorld::EndWorker(int id, WorkerEnd end) {
  WorkerModel& worker = workers_[static_cast<size_t>(id)];
  const std::map<uint64_t, Sent> held = std::exchange(worker.in_flight, {});
  worker.ready = false;
  if (end == WorkerEnd::kBlameless) {
    untold_ += static_cast<uint64_t>(std::ranges::count_if(
        held, [&](const auto& sent) { return trials_.contains(sent.first); }));
  } else {
    for (const auto& [sequence, sent] : held) {
      if (sent.compares()) continue;
      for (const SlotId slot : sent.slots) {
        Row& row = RowAt(slot);
        if (!requests_.at(owner_[slot]).complete && Reference(row).first == Word::kNone) {
          row.suspect_stages.insert(sent.stage);
          ++suspicions_;
        }
      }
    }
  }
  scheduler_->WorkerGone(id, end, now_);
  EXPECT_TRUE(scheduler_->idle(id));
  if (Chance(70)) Ready(id);
}

void RandomWorld::DrainSomeWorker() {
  const int id = Number(0, static_cast<int>(workers_.size()) - 1);
  workers_[static_cast<size_t>(id)].draining = true;
  scheduler_->WorkerDraining(id, now_);
}

void RandomWorld::Settle() {
  const TimePoint next = scheduler_->Advance(now_);
  EXPECT_GT(next, now_) << "the scheduler would spin";
  next_ = next;
  int in_flight = 0;
  int counted = 0;
  for (const WorkerModel& worker : workers_) {
    for (const auto& [sequence, sent] : worker.in_flight) {
      if (!sent.compares()) in_flight += static_cast<int>(sent.slots.size());
    }
  }
  for (int stage = 0; stage < stages_; ++stage) {
    counted += scheduler_->in_flight(stage);
    EXPECT_GE(scheduler_->queued(stage), 0);
  }
  EXPECT_EQ(counted, in_flight);
  for (const auto& [id, request] : requests_) {
    EXPECT_TRUE(request.complete || request.deadline > now_) << "a deadline was missed";
  }
}

void RandomWorld::Finish() {
  for (int id = 0; id < static_cast<int>(workers_.size()); ++id) {
    if (!workers_[static_cast<size_t>(id)].ready || workers_[static_cast<size_t>(id)].draining) {
      EndWorker(id, WorkerEnd::kBlameless);
      Ready(id);
    }
  }
  Settle();
  for (int step = 0; step < 5000 && scheduler_->Advance(now_) != TimePoint::max(); ++step) {
    FinishSomeBatch();
    for (int id = 0; id < static_cast<int>(workers_.size()); ++id) {
      if (!workers_[static_cast<size_t>(id)].ready) Ready(id);
    }
    Settle();
    const bool waits = std::ranges::all_of(
        workers_, [](const WorkerModel& worker) { return worker.in_flight.empty(); });
    if (waits && next_ != TimePoint::max()) now_ = next_;
    Settle();
  }
  for (int step = 0; step < 1000; ++step) FinishSomeBatch();
  EXPECT_EQ(scheduler_->Advance(now_), TimePoint::max());
  EXPECT_EQ(scheduler_->requests(), 0);
  // Where stages speculate, one suspicion sets all copies of the row apart.
  const int trials = speculated_ ? stages_ : 1;
  EXPECT_LE(trials_.size(), suspicions_ * static_cast<uint64_t>(trials) + untold_);
  for (int stage = 0; stage < stages_; ++stage) {
    EXPECT_EQ(scheduler_->queued(stage), 0);
    EXPECT_EQ(scheduler_->in_flight(stage), 0);
  }
  for (const auto& [id, request] : requests_) {
    EXPECT_TRUE(request.complete) << id;
    EXPECT_TRUE(request.settled) << id;
  }
}

}  // namespace escan
