#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <vector>

#include "fakes/recording_scheduler_actions.h"
#include "scheduling/scheduler.h"

namespace escan {

using Sent = RecordingSchedulerActions::Sent;

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// A scheduler with a manual clock whose workers are the test itself. Set up `cascade_` and `plan_`,
// then Start.
class SchedulerTest : public ::testing::Test {
 protected:
  // Batches of at most 4 rows that never wait.
  void Stages(int count, int slots = 64) {
    cascade_.stages.resize(static_cast<size_t>(count));
    for (StageSpec& stage : cascade_.stages) {
      stage.buckets = {1, 4, 16};
      stage.exit.threshold = 0.5f;
    }
    plan_.stages.assign(static_cast<size_t>(count), StagePolicy{.max_batch = 4});
    next_slot_.assign(static_cast<size_t>(slots), kNoSlot);
  }

  StagePolicy& policy(int stage) { return plan_.stages[static_cast<size_t>(stage)]; }

  void Start(const SchedulerOptions& options = {}) {
    scheduler_ = std::make_unique<Scheduler>(cascade_, plan_, next_slot_, &actions_, options);
  }

  void Policies() { scheduler_->SetPolicies(plan_.stages, plan_.options, now_); }

  void Ready(WorkerId id, const std::vector<int>& stages, int credits = 1,
             int fault_domain = kNoFaultDomain) {
    scheduler_->WorkerReady(id, stages, credits, now_, fault_domain);
  }

  // A request whose rows lie in these slots.
  RequestKey Admit(const std::vector<SlotId>& slots, Duration deadline = std::chrono::seconds(1),
                   int priority = kDefaultPriority) {
    for (size_t i = 0; i < slots.size(); ++i) {
      next_slot_[slots[i]] = i + 1 < slots.size() ? slots[i + 1] : kNoSlot;
    }
    const RequestKey key{slots.front(), ++ids_};
    scheduler_->Admit({.key = key,
                       .rows = static_cast<int>(slots.size()),
                       .priority = priority,
                       .arrival = now_,
                       .deadline = now_ + deadline},
                      now_);
    return key;
  }

  TimePoint Advance(Duration step = Duration::zero()) {
    now_ += step;
    return scheduler_->Advance(now_);
  }

  // The next batch that was dispatched; the test fails when there is none.
  Sent Take() {
    if (actions_.sent.empty()) {
      ADD_FAILURE() << "no batch was dispatched";
      return {};
    }
    Sent sent = actions_.sent.front();
    actions_.sent.pop_front();
    return sent;
  }
  bool NothingSent() const { return actions_.sent.empty(); }

  // The result of a batch by one score a row, then Advance.
  bool Done(const Sent& sent, const std::vector<float>& scores) {
    const bool accepted = Result(sent, scores, std::vector<uint8_t>(scores.size()));
    Advance();
    return accepted;
  }
  // The same, with failed rows.
  bool Result(const Sent& sent, const std::vector<float>& scores,
              const std::vector<uint8_t>& failed, std::string_view message = {}) {
    std::vector<uint8_t> exits;
    for (const float score : scores) exits.push_back(score >= sent.threshold);
    return scheduler_->BatchDone(sent.worker,
                                 {.sequence = sent.sequence,
                                  .scores = scores,
                                  .exits = exits,
                                  .failed = failed,
                                  .message = message,
                                  .execute_time = std::chrono::microseconds(100)},
                                 now_);
  }

  // Teaches the scheduler how long a step takes, by running one of `rows` rows that ends there.
  void Measure(WorkerId worker, const std::vector<int>& stages, int rows, Duration step) {
    Ready(worker, stages);
    std::vector<SlotId> slots;
    for (int i = 0; i < rows; ++i) slots.push_back(static_cast<SlotId>(i));
    Admit(slots);
    Advance();
    const Sent sent = Take();
    EXPECT_EQ(sent.slots.size(), slots.size());
    now_ += step;
    Done(sent, std::vector<float>(slots.size(), 1.0f));
    actions_.completed.clear();
    actions_.settled.clear();
  }

  // Of batches of one row at worker 0, which hosts both stages: as often as a step has to be
  // measured for its tail to be believed.
  void MeasureOften(Duration step) {
    for (int i = 0; i < 16; ++i) Measure(0, {0, 1}, 1, step);
  }

  OutcomeCode LastCode() const {
    return actions_.completed.empty() ? OutcomeCode(-1) : actions_.completed.back().outcome.code;
  }

  CascadeSpec cascade_;
  Plan plan_;
  std::vector<SlotId> next_slot_;
  RecordingSchedulerActions actions_;
  std::unique_ptr<Scheduler> scheduler_;
  TimePoint now_{std::chrono::seconds(5000)};
  uint64_t ids_ = 0;
};

}  // namespace escan
