#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "contracts/plan.h"
#include "escan/cascade.h"
#include "escan/ids.h"
#include "escan/stage_executor.h"
#include "escan/time.h"
#include "scheduling/brown_out.h"
#include "scheduling/score_drift.h"
#include "scheduling/stage_statistics.h"

namespace escan {

// A request is named by its first slot and a number that is never used again, so that a message
// about one that is already over is recognised.
struct RequestKey {
  SlotId first_slot = kNoSlot;
  uint64_t id = 0;

  friend bool operator==(const RequestKey&, const RequestKey&) = default;
};

// 1 is served first. Queues order by (priority, deadline, arrival).
inline constexpr int kHighestPriority = 1;
inline constexpr int kDefaultPriority = 2;
inline constexpr int kLowestPriority = 3;

struct Admission {
  RequestKey key;
  int rows = 0;
  int priority = kDefaultPriority;
  TimePoint arrival{};
  TimePoint deadline{};
};

enum class OutcomeCode {
  kOk,
  kDeadlineExceeded,
  kCancelled,
  kStageFailed,   // a model threw on one of the request's rows
  kWorkerKilled,  // one of its rows ended two workers
  kUnavailable,   // the scheduler was shut down
};

// How a request ended. `stage` and `row` name the place for kStageFailed and kWorkerKilled;
// `message` then is the worker's own word.
struct Outcome {
  OutcomeCode code = OutcomeCode::kOk;
  int stage = -1;
  int row = -1;
  std::string message{};
};

// Where an answered sample left the cascade.
struct SampleAnswer {
  int8_t stage = -1;  // index of the stage that answered
  float score = 0;    // its confidence, NaN when the stage is not scored
  // Of the threshold that it passed, see BrownOut; of one that the last stage answered: how far the
  // thresholds were lowered when it did.
  uint8_t brown_out = 0;
};

struct Batch {
  WorkerId worker = -1;
  uint64_t sequence = 0;  // unique over the scheduler's life
  int stage = 0;
  BatchPurpose purpose = BatchPurpose::kServe;
  float threshold = 0;
  std::span<const SlotId> slots;  // valid during the call
};

// What a batch brought back; spans have one element a row, in the batch's order.
struct BatchResult {
  uint64_t sequence = 0;
  std::span<const float> scores;
  std::span<const uint8_t> exits;   // 1: the score passed the threshold
  std::span<const uint8_t> failed;  // 1: the model threw on the row
  // 1: the row is not what was answered. Of a batch to compare; else empty, or none is set.
  std::span<const uint8_t> differs{};
  std::string_view message{};  // why the first failed row failed, or differs
  Duration execute_time{};
};

// What computing answers once more has shown. When they differ, they are computed again, by a third
// worker or in other buckets, until it is clear who was wrong, or that it cannot be known.
struct Comparison {
  int stage = 0;
  int rows = 0;            // that were computed once more
  int differ = 0;          // of them
  WorkerId answered = -1;  // who answered them
  WorkerId compared = -1;  // who found them so; may be the same, in another bucket
  WorkerId wrong = -1;     // who was wrong; -1: nobody, or unknown when rows differ
  // Samples that `wrong` has answered since it was last seen to be right, these included.
  uint64_t unverified = 0;
  std::string_view message{};  // about the first row that differs
};

// A sample that exited early has also run through the last stage: its slot holds both answers
// during the call.
struct AuditedSample {
  SlotId slot = kNoSlot;
  int stage = 0;  // that answered it
};

// Of a worker whose faults are its own, as on a CPU.
inline constexpr int kNoFaultDomain = -1;

// Why a worker is gone decides what is believed of the rows that it held.
enum class WorkerEnd {
  kBlameless,  // stopped by the daemon, or killed from outside: its rows go back as they were
  kSuspect,    // crashed, hung or sent garbage: any row that it held may be the cause
};

// Where decisions go. Called from inside the scheduler's own calls, never re-entered from there.
class SchedulerActions {
 public:
  virtual ~SchedulerActions() = default;

  // Give the batch to its worker.
  virtual void Dispatch(const Batch& batch) = 0;

  // The request is answered; exactly once for each admitted one. With kOk, Scheduler::answer()
  // holds where each of its rows left. Its slots must not be reused before Settled.
  virtual void Complete(const RequestKey& key, const Outcome& outcome) = 0;

  // No worker holds a row of this request and none will; exactly once, after Complete.
  virtual void Settled(const RequestKey& key) = 0;

  // Answers were computed once more. Only with SchedulerOptions::verify_every.
  virtual void Compared(const Comparison&) {}

  // Only with SchedulerOptions::audit_every.
  virtual void Audited(const AuditedSample&) {}

  // StageStatistics::drift has another state. Only with SchedulerOptions::drift.
  virtual void Drifted(int /*stage*/, const DriftStatus&) {}

  // Thresholds were lowered, or raised again, to this level. Only with SchedulerOptions::brown_out.
  virtual void BrownedOut(int /*level*/) {}
};

struct SchedulerOptions {
  Duration exit_window = std::chrono::seconds(30);  // of the exit ratio estimates, see ExitWindows
  // After so many samples of a stage rows of a batch are computed once more and compared; 0: never.
  int verify_every = 0;
  // After so many samples that exit at a stage one also runs through the last stage; 0: never.
  int audit_every = 0;
  // How the scores are compared with those of the cascade's calibration, where it has one.
  DriftOptions drift;
  // Whether thresholds are lowered, as far as the cascade allows, before requests are refused.
  bool brown_out = false;
};

// Owns the stage queues and the state of every sample of one cascade, and decides what each worker
// runs next. Plain code: one thread, no locks, no I/O, no clock; no allocation per sample. It runs
// unchanged in the daemon, in tests and in the simulator.
//
// Rules are in docs/design.md, "Decisions".
class Scheduler {
 public:
  // `next_slot[s]` is the slot of the row after the one in s; it is written by whoever admits a
  // request and constant from Admit to Settled. `cascade` and `actions` outlive the scheduler.
  Scheduler(const CascadeSpec& cascade, const Plan& plan, std::span<const SlotId> next_slot,
            SchedulerActions* actions, const SchedulerOptions& options = {});
  ~Scheduler();

  // --- requests
  void Admit(const Admission& admission, TimePoint now);
  // Nothing happens when the request is already over.
  void Cancel(const RequestKey& key, TimePoint now);
  const SampleAnswer& answer(SlotId slot) const;

  // --- workers
  // A worker is ready for batches of `stages`. Workers of the same `fault_domain`, a number that is
  // not negative, end together when one of them faults, as the MPS clients of a GPU do: a row that
  // is suspected of it is tried while no other of them holds anything. When it happens, drain all
  // of them before the first is reported gone, or rows are given to those that are about to be.
  void WorkerReady(WorkerId worker, const std::vector<int>& stages, int credits, TimePoint now,
                   int fault_domain = kNoFaultDomain);
  // It gets no new batch; those in flight finish. See idle().
  void WorkerDraining(WorkerId worker, TimePoint now);
  bool idle(WorkerId worker) const;  // holds no batch
  // False when `sequence` is not in flight at `worker`, or the spans are not of its size: the first
  // answer wins, and what is wrong changes nothing.
  bool BatchDone(WorkerId worker, const BatchResult& result, TimePoint now);
  // The batch could not be given to its worker: its rows go back as they were. Drain the worker
  // before, or it is given them again.
  void BatchUnsent(WorkerId worker, uint64_t sequence, TimePoint now);
  // The process is gone, or never was ready. Its rows are replayed.
  void WorkerGone(WorkerId worker, WorkerEnd end, TimePoint now);
  // When a batch at `worker` has taken max(10 x p99 of its stage, 1 s) and the worker should be
  // ended: the earliest such time; TimePoint::max() when it holds none. It is 10 s at least until
  // 16 steps were measured, and while the worker is `disturbed`: others prepare their stages on its
  // device.
  TimePoint HangDeadline(WorkerId worker, bool disturbed = false) const;

  // --- decisions
  // Replaces batch policies and options; hosting follows from the workers that are ready.
  void SetPolicies(const std::vector<StagePolicy>& stages, const PlanOptions& options,
                   TimePoint now);
  // Forgets the stage's exit estimate, as a brown-out does with each step.
  void SetThreshold(int stage, float threshold, TimePoint now);
  float threshold(int stage) const;      // in effect
  float set_threshold(int stage) const;  // the same without a brown-out
  const BrownOut& brown_out() const;
  // The stage's answers cannot be repeated: SchedulerOptions::verify_every is not for it.
  void ExemptFromVerification(int stage);

  // Answers what is past its deadline and dispatches all that can be dispatched. Call it after any
  // of the above and not later than the time it returned (TimePoint::max(): nothing is waiting).
  TimePoint Advance(TimePoint now);

  // Completes every request with kUnavailable, for a shutdown whose drain time is over.
  void FailAll(TimePoint now);

  // --- observation
  int requests() const;            // admitted and not answered
  int queued(int stage) const;     // samples waiting at a stage
  int in_flight(int stage) const;  // samples that workers hold
  bool hosted(int stage) const;    // a ready, not draining worker hosts it
  const StageStatistics& statistics(int stage) const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace escan
