#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "fakes/recording_scheduler_actions.h"
#include "scheduling/scheduler.h"

namespace escan {

using Sent = RecordingSchedulerActions::Sent;

enum class Word { kNone, kDeclined, kPassed, kFailed };

struct Row {
  std::vector<float> scores;  // by stage
  int failing_stage = -1;     // the model throws there
  int poison_stage = -1;      // the row ends its worker there
  int workers_killed = 0;
  std::set<int> suspect_stages;
  std::map<int, int> computed;           // by stage: what its outputs are, see RandomWorld::Compute
  std::array<Word, kMaxStages> words{};  // accepted results
};

struct Request {
  std::vector<SlotId> slots;
  std::vector<Row> rows;
  TimePoint deadline;
  bool complete = false;
  bool settled = false;
  OutcomeCode code{};
};

struct WorkerModel {
  bool ready = false;
  bool draining = false;
  std::vector<int> stages;
  int credits = 1;
  int fault_domain = kNoFaultDomain;
  std::map<uint64_t, Sent> in_flight;
};

// Judges what a scheduler does by the contract alone: it knows what was admitted, what workers hold
// and which words of stages were accepted, and checks every decision against that. Whoever drives
// the scheduler keeps the model up to date.
class SchedulerOracle : public SchedulerActions {
 public:
  void Dispatch(const Batch& batch) override {
    Sent sent = Sent::Of(batch);
    WorkerModel& worker = workers_.at(static_cast<size_t>(batch.worker));
    EXPECT_TRUE(worker.ready && !worker.draining);
    EXPECT_TRUE(std::ranges::count(worker.stages, sent.stage) == 1);
    EXPECT_LT(static_cast<int>(worker.in_flight.size()), worker.credits);
    EXPECT_GE(sent.slots.size(), 1u);
    EXPECT_LE(
        static_cast<int>(sent.slots.size()),
        sent.compares() ? kLargestBucket : plan_.stages[static_cast<size_t>(sent.stage)].max_batch);
    EXPECT_EQ(sent.threshold, scheduler_->threshold(sent.stage));
    EXPECT_GT(sent.sequence, last_sequence_);
    last_sequence_ = sent.sequence;
    const bool trial = !sent.compares() && HoldsSuspect(sent);
    if (trial) {
      trials_.insert(sent.sequence);
      EXPECT_EQ(sent.slots.size(), 1u);
    }
    for (const WorkerModel& other : workers_) {
      if (!ShareFaults(worker, other)) continue;
      for (const auto& [sequence, in_flight] : other.in_flight) {
        EXPECT_FALSE(trial) << "a suspect is tried beside another batch";
        EXPECT_FALSE(trials_.contains(sequence)) << "a batch beside a suspect that is tried";
      }
    }
    if (sent.compares()) {
      EXPECT_TRUE(worker.in_flight.empty()) << "a check at a worker that has something to do";
      for (const SlotId slot : sent.slots) CheckComparedRow(sent, slot);
    } else {
      for (const SlotId slot : sent.slots) CheckDispatchedRow(sent, slot);
    }
    worker.in_flight.emplace(sent.sequence, std::move(sent));
  }

  void Complete(const RequestKey& key, const Outcome& outcome) override {
    Request& request = requests_.at(key.id);
    EXPECT_EQ(request.slots.front(), key.first_slot);
    EXPECT_FALSE(request.complete);
    EXPECT_FALSE(request.settled);
    request.complete = true;
    request.code = outcome.code;
    switch (outcome.code) {
      case OutcomeCode::kOk:
        for (size_t i = 0; i < request.rows.size(); ++i) CheckAnswer(request, i);
        break;
      case OutcomeCode::kStageFailed: {
        const Row& row = request.rows.at(static_cast<size_t>(outcome.row));
        EXPECT_EQ(Reference(row), std::make_pair(Word::kFailed, outcome.stage));
        EXPECT_TRUE(outcome.message == "threw" ||
                    outcome.message == "the model failed on this row");
        break;
      }
      case OutcomeCode::kWorkerKilled: {
        const Row& row = request.rows.at(static_cast<size_t>(outcome.row));
        EXPECT_FALSE(row.suspect_stages.empty());
        EXPECT_TRUE(!only_culprits_ || row.poison_stage == outcome.stage) << "it is innocent";
        break;
      }
      case OutcomeCode::kCancelled:
        EXPECT_EQ(cancelling_, key.id);
        break;
      case OutcomeCode::kUnavailable:
        EXPECT_TRUE(failing_all_);
        break;
      case OutcomeCode::kDeadlineExceeded:
        EXPECT_FALSE(only_culprits_) << "it was left to wait";
        break;
    }
  }

  void Compared(const Comparison& comparison) override {
    EXPECT_GE(comparison.rows, 1);
    EXPECT_LE(comparison.differ, comparison.rows);
    EXPECT_TRUE(comparison.differ == 0 || faulty_ >= 0);
    EXPECT_TRUE(comparison.wrong == -1 || comparison.wrong == faulty_) << "it is innocent";
    EXPECT_TRUE(comparison.wrong == -1 || comparison.differ > 0);
    EXPECT_TRUE(comparison.wrong != -1 || comparison.unverified == 0);
  }

  void Settled(const RequestKey& key) override {
    Request& request = requests_.at(key.id);
    EXPECT_TRUE(request.complete);
    EXPECT_FALSE(request.settled);
    request.settled = true;
    for (const WorkerModel& worker : workers_) {
      for (const auto& [sequence, sent] : worker.in_flight) {
        if (sequence == landing_) continue;
        for (const SlotId slot : sent.slots) EXPECT_NE(owner_[slot], key.id);
      }
    }
    for (const SlotId slot : request.slots) owner_[slot] = 0;
  }

 protected:
  static bool ShareFaults(const WorkerModel& a, const WorkerModel& b) {
    return &a == &b || (a.fault_domain >= 0 && a.fault_domain == b.fault_domain);
  }

  Row& RowAt(SlotId slot) {
    Request& request = requests_.at(owner_[slot]);
    const auto row = std::ranges::find(request.slots, slot) - request.slots.begin();
    return request.rows.at(static_cast<size_t>(row));
  }

  bool HoldsSuspect(const Sent& sent) {
    return std::ranges::any_of(sent.slots, [&](SlotId slot) {
      return owner_[slot] != 0 && !RowAt(slot).suspect_stages.empty();
    });
  }

  // What asking one stage after the other gives, and where; kNone while a word is missing.
  std::pair<Word, int> Reference(const Row& row) const {
    for (int stage = 0; stage < stages_; ++stage) {
      const Word word = row.words[static_cast<size_t>(stage)];
      if (word != Word::kDeclined) return {word, stage};
    }
    return {Word::kNone, stages_};
  }

  void CheckDispatchedRow(const Sent& sent, SlotId slot) {
    ASSERT_NE(owner_[slot], 0u) << "a settled sample was dispatched";
    const Request& request = requests_.at(owner_[slot]);
    if (request.complete) {
      EXPECT_TRUE(request.code == OutcomeCode::kOk && never_cancelled_)
          << "a sample of a completed request was dispatched";
    } else if (!never_cancelled_) {
      EXPECT_EQ(Reference(RowAt(slot)).first, Word::kNone) << "an answered sample was dispatched";
    }
    for (const WorkerModel& worker : workers_) {
      for (const auto& [sequence, other] : worker.in_flight) {
        if (other.stage != sent.stage || other.compares()) continue;
        EXPECT_EQ(std::ranges::count(other.slots, slot), 0) << "a sample is twice at a stage";
      }
    }
    EXPECT_EQ(std::ranges::count(sent.slots, slot), 1);
  }

  void CheckComparedRow(const Sent& sent, SlotId slot) {
    ASSERT_NE(owner_[slot], 0u) << "a settled sample is compared";
    EXPECT_TRUE(RowAt(slot).computed.contains(sent.stage)) << "there is nothing to compare with";
    for (const WorkerModel& worker : workers_) {
      for (const auto& [sequence, other] : worker.in_flight) {
        EXPECT_FALSE(other.compares()) << "two checks at a time";
      }
    }
  }

  void CheckAnswer(const Request& request, size_t index) {
    const SampleAnswer& answer = scheduler_->answer(request.slots[index]);
    const Row& row = request.rows[index];
    EXPECT_EQ(Reference(row), std::make_pair(Word::kPassed, static_cast<int>(answer.stage)));
    const float score = row.scores.at(static_cast<size_t>(answer.stage));
    EXPECT_TRUE(answer.score == score || (std::isnan(answer.score) && std::isnan(score)));
  }

  static constexpr int kLargestBucket = 8;

  int stages_ = 0;
  Plan plan_;
  std::vector<uint64_t> owner_;  // by slot: id of its request, 0 when free
  std::vector<WorkerModel> workers_;
  std::map<uint64_t, Request> requests_;
  std::unique_ptr<Scheduler> scheduler_;
  TimePoint now_{std::chrono::seconds(1000)};
  uint64_t last_sequence_ = 0;
  uint64_t landing_ = 0;       // the batch whose result is being taken
  std::set<uint64_t> trials_;  // batches that were a suspect alone
  uint64_t suspicions_ = 0;    // of a row at a stage
  uint64_t untold_ = 0;        // trials whose worker ended blamelessly
  bool only_culprits_ =
      false;                 // workers end badly only for a row that does that, and time is ample
  uint64_t cancelling_ = 0;  // the request that is being cancelled
  bool failing_all_ = false;
  WorkerId faulty_ = -1;          // computes what is wrong, now and then; -1: none does
  bool never_cancelled_ = false;  // CancelPolicy::kNever was ever in force
};

}  // namespace escan
