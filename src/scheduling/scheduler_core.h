#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "scheduling/answer_verifier.h"
#include "scheduling/brown_out.h"
#include "scheduling/dispatcher.h"
#include "scheduling/exit_auditor.h"
#include "scheduling/request_table.h"
#include "scheduling/scheduler.h"
#include "scheduling/spare_time.h"
#include "scheduling/stage_state.h"
#include "scheduling/step_times.h"
#include "scheduling/worker_table.h"

namespace escan {

// Connects the parts: what requests, results and worker ends mean for samples. See Scheduler for
// the contract of each method.
class Scheduler::Core {
 public:
  Core(const CascadeSpec& cascade, const Plan& plan, std::span<const SlotId> next_slot,
       SchedulerActions* actions, const SchedulerOptions& options);

  void Admit(const Admission& admission, TimePoint now);
  void Cancel(const RequestKey& key);
  const SampleAnswer& answer(SlotId slot) const { return requests_.answer(slot); }

  void WorkerReady(WorkerId id, const std::vector<int>& stages, int credits, TimePoint now,
                   int fault_domain);
  void WorkerDraining(WorkerId id, TimePoint now);
  bool idle(WorkerId id) const;
  bool BatchDone(WorkerId id, const BatchResult& result, TimePoint now);
  void BatchUnsent(WorkerId id, uint64_t sequence, TimePoint now);
  void WorkerGone(WorkerId id, WorkerEnd end, TimePoint now);
  TimePoint HangDeadline(WorkerId id, bool disturbed) const;

  void SetPolicies(const std::vector<StagePolicy>& stages, const PlanOptions& options);
  void SetThreshold(int stage, float threshold);
  float threshold(int stage) const { return at(stage).threshold; }
  float set_threshold(int stage) const { return at(stage).set_threshold; }
  const BrownOut& brown_out() const { return brown_out_; }
  void ExemptFromVerification(int stage) { verifier_.Exempt(stage); }
  TimePoint Advance(TimePoint now);
  void FailAll();

  int requests() const { return requests_.incomplete(); }
  int queued(int stage) const { return requests_.backlog().queued(stage); }
  int in_flight(int stage) const { return requests_.backlog().in_flight(stage); }
  bool hosted(int stage) const { return Contains(workers_.hosted(), stage); }
  const StageStatistics& statistics(int stage) const { return at(stage).statistics; }

 private:
  // A batch that is back, and the moment.
  struct Landing {
    WorkerId worker;
    const Flight& flight;
    TimePoint now;
  };

  void LandBatch(const Landing& landing, const BatchResult& result);
  void RecordBatch(const Landing& landing, Duration execute_time);
  void LandRow(const Landing& landing, size_t row, const BatchResult& result);
  // Moves the sample on from `stage`, whose word has just come and was the next one needed: to its
  // answer, its failure or the next stage.
  void Proceed(const Landing& landing, SlotId slot, int stage);
  // How near the cascade is to refusing requests, see BrownOut.
  double Pressure(TimePoint now) const;
  void UpdateBrownOut(TimePoint now);
  // Puts the threshold of the stage into effect that was set, less what the brown-out takes.
  void ApplyThreshold(int stage);

  // The score of a sample that reached the stage.
  void CountScore(int stage, float score, TimePoint now);
  // Scores are comparable where the samples that get to a stage are those that the calibration saw.
  void CompareScores();
  void CountExit(const Sample& sample, int stage, bool exited, TimePoint now);
  // Queues the sample at `stage` and at the stages after it that speculate.
  void QueueOn(const Landing& landing, SlotId slot, int stage);
  void QueueSpeculative(SlotId slot, int stage, TimePoint now);

  void ReturnBatches(WorkerId id, WorkerEnd end, TimePoint now);
  void ReturnBatch(WorkerId id, const Flight& flight, WorkerEnd end, TimePoint now);
  void ReturnRow(const Flight& flight, SlotId slot, WorkerEnd end);

  int stage_count() const { return static_cast<int>(stages_.size()); }
  StageState& at(int stage) { return stages_[static_cast<size_t>(stage)]; }
  const StageState& at(int stage) const { return stages_[static_cast<size_t>(stage)]; }

  const CascadeSpec& cascade_;
  SchedulerActions* actions_;
  std::vector<StageState> stages_;
  PlanOptions options_;
  StepTimes step_times_;
  RequestTable requests_;
  Backlog& backlog_;
  WorkerTable workers_;
  Dispatcher dispatcher_;
  SpareTime spare_;
  AnswerVerifier verifier_;
  ExitAuditor auditor_;
  BrownOut brown_out_;
};

}  // namespace escan
