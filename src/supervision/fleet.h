#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "contracts/plan.h"
#include "escan/ids.h"
#include "escan/time.h"

namespace escan {

// Where fleet decisions go. Called from inside Fleet::Advance and Fleet::Drained, never re-entered
// from there: what an action finds out at once is told to the fleet after that call returned.
class FleetActions {
 public:
  virtual ~FleetActions() = default;

  // Start a process for `worker`. Failure is reported by Fleet::Exited, later.
  virtual void StartWorker(WorkerId worker, uint32_t incarnation, const WorkerGroup& role) = 0;
  // No new batches; the fleet is told by Fleet::Drained when it holds none, be it at once.
  virtual void DrainWorker(WorkerId worker) = 0;
  // Ask the idle process to end; Fleet::Exited follows.
  virtual void StopWorker(WorkerId worker) = 0;
  // End it now; Fleet::Exited follows.
  virtual void KillWorker(WorkerId worker) = 0;
};

enum class FleetState {
  kStarting,  // a process exists and is not ready
  kReady,
  kDraining,  // finishes its batches, then stops
  kStopping,  // asked to end
  kWaiting,   // no process; a restart is due later
};

std::string_view Name(FleetState state);

struct FleetOptions {
  Duration start_timeout = std::chrono::minutes(5);  // from start to ready
  Duration stop_timeout = std::chrono::seconds(5);   // from StopWorker to the end
  Duration drain_timeout = std::chrono::seconds(30);
  Duration first_backoff = std::chrono::milliseconds(100);  // doubles with every failed start
  Duration last_backoff = std::chrono::minutes(1);
  int change_start_attempts = 2;  // failed starts of one new worker that give a plan change up
};

// Which worker processes there should be, which there are, and what to do about the difference.
// Restarts those that end, and carries a plan change out without a gap: workers of the new plan
// that equal a present one keep it; the others are started; when all of the new plan are ready the
// old ones are drained and stopped. When a worker of the new plan cannot be started the change is
// given up: its new workers are drained and stopped, and nothing else is touched. So are those of a
// change that another supersedes. Plain code: one thread, no I/O, no clock.
//
// A worker that ends after it was ready is restarted at once; only starts that never became ready
// count for the back-off. Until the switch the old workers are restarted too, for they serve;
// after it, one that ends while it is drained is gone. A new worker serves from its Ready on, be it
// before the switch.
//
// The owner calls SetGroups once to begin with, tells the facts as they happen, and calls Advance
// after each of them and when the time has come that Advance returned last.
class Fleet {
 public:
  explicit Fleet(FleetActions* actions, const FleetOptions& options = {});

  enum class Change {
    kNone,  // none was asked for
    kInProgress,
    kDone,    // the new workers serve and the old ones have ended
    kFailed,  // given up, see change_error()
  };

  // The first call puts `groups` into effect: there is nothing to fall back to, so their workers
  // are started again and again until they are ready, and change() stays kNone. A later one begins
  // a change from the groups in effect to `groups`; change() tells how it goes. One that is in
  // progress is superseded: its new workers that `groups` has too go on, the others are ended. Not
  // after StopAll.
  void SetGroups(const std::vector<WorkerGroup>& groups, TimePoint now);
  // Begins a change in which the groups stay and every worker on `device` is replaced by a new one.
  // Not while change() is kInProgress, nor after StopAll.
  void Renew(int device, TimePoint now);

  // --- the latest change
  Change change() const { return change_; }
  // For kFailed: which worker could not be started, and how it ended.
  const std::string& change_error() const { return change_error_; }
  // The groups of the latest SetGroups are in effect: all their workers were ready at once, or they
  // are the first. The batch policies that go with them may be used from now on. False for a
  // failed change.
  bool switched() const { return switched_; }
  int change_started() const { return change_started_; }  // workers that it had to add
  int change_stopped() const { return change_stopped_; }  // workers that it had to remove

  // --- facts. Those about another incarnation, or an unknown worker, change nothing.
  void Ready(WorkerId worker, uint32_t incarnation, TimePoint now);
  // The start that was asked for waits for its turn, or has come to it: the time that it may take
  // counts from now.
  void StartDelayed(WorkerId worker, uint32_t incarnation, TimePoint now);
  // Only what was said after DrainWorker counts.
  void Drained(WorkerId worker, TimePoint now);
  // The process has ended, or could not be started; `how` is for people.
  void Exited(WorkerId worker, uint32_t incarnation, const std::string& how, TimePoint now);

  // Drains and stops every worker; restarts none. A change that has not switched yet fails.
  void StopAll(TimePoint now);
  bool empty() const;  // no process is left

  // Starts what is due, kills what is late, and moves the change on. Returns the next time at which
  // there is something to do; TimePoint::max() when only a fact can bring it.
  TimePoint Advance(TimePoint now);

  struct Member {
    WorkerId id = -1;
    uint32_t incarnation = 0;  // never used twice in a fleet; 0 before the first start
    WorkerGroup role;          // count is 1
    FleetState state = FleetState::kWaiting;
    int failed_starts = 0;  // in a row
    uint64_t restarts = 0;
    std::string last_end;
    std::string kill_reason;  // why the fleet killed this incarnation, else empty
    bool served = false;      // was ready once
    TimePoint started{};      // its turn to start came
    Duration start_took{};    // until it was ready, the last time
    bool incoming = false;    // added by the change in progress, which has not switched yet
    bool outgoing = false;    // removed by the change in progress, or by one that was given up
    bool leaving = false;     // is ended as soon as it is idle, and not restarted
    TimePoint due{};          // of the next timed step in this state
  };
  // Only SetGroups and Advance add members or remove them.
  const std::vector<Member>& members() const { return members_; }
  const Member* Find(WorkerId worker) const;

 private:
  Member* FindMutable(WorkerId worker);
  Member* FindIncarnation(WorkerId worker, uint32_t incarnation);
  void BeginChange(size_t members_before);
  bool Keep(const WorkerGroup& role);
  void Add(const WorkerGroup& role, TimePoint now);
  WorkerId FreeId() const;
  Duration Backoff(int failed_starts) const;

  void MoveChange();
  void Switch();
  void GiveUp(std::string error);
  void Step(Member& member, TimePoint now);
  void Leave(Member& member, TimePoint now);
  void Start(Member& member, TimePoint now);
  void Kill(Member& member, std::string reason);

  std::vector<Member> members_;
  FleetActions* actions_;
  FleetOptions options_;
  uint32_t last_incarnation_ = 0;
  Change change_ = Change::kNone;
  std::string change_error_;
  bool switched_ = false;
  int change_started_ = 0;
  int change_stopped_ = 0;
};

}  // namespace escan
