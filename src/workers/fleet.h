#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "escan/ids.h"
#include "escan/plan.h"
#include "escan/time.h"

namespace escan {

// Where fleet decisions go. Called from inside the fleet's own calls, never re-entered from there.
class FleetActions {
 public:
  virtual ~FleetActions() = default;

  // Start a process for `worker`. Failure is reported by Fleet::Exited, later.
  virtual void StartWorker(WorkerId worker, uint32_t incarnation, const WorkerGroup& role) = 0;
  // No new batches; the fleet is told by Drained when it holds none.
  virtual void DrainWorker(WorkerId worker) = 0;
  // Ask the idle process to end.
  virtual void StopWorker(WorkerId worker) = 0;
  // End it now.
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
  Duration last_backoff = std::chrono::seconds(10);
  int change_start_attempts = 2;  // failed starts of one new worker that give a plan change up
};

// Which worker processes there should be, which there are, and what to do about the difference.
// Restarts those that end, and carries a plan change out without a gap: workers of the new plan
// that equal a present one keep it; the others are started; when all of them are ready the old ones
// are drained and stopped. When a new one cannot be started the change is given up and nothing that
// serves is touched. Plain code: one thread, no I/O, no clock.
//
// A worker that ends after it was ready is restarted at once; only starts that never became ready
// count for the back-off.
class Fleet {
 public:
  explicit Fleet(FleetActions* actions, const FleetOptions& options = {});

  // Begins a change to `groups`; `change()` tells how it goes. The first call has no old workers.
  void SetGroups(const std::vector<WorkerGroup>& groups, TimePoint now);

  enum class Change {
    kNone,  // none was asked for
    kInProgress,
    kDone,    // the new workers serve and the old ones have ended
    kFailed,  // given up, see change_error()
  };
  Change change() const;
  const std::string& change_error() const;
  // New workers are all ready; the new batch policies may be used from now on.
  bool switched() const;

  // --- facts. Those about another incarnation, or an unknown worker, change nothing.
  void Ready(WorkerId worker, uint32_t incarnation, TimePoint now);
  void Drained(WorkerId worker, TimePoint now);
  void Exited(WorkerId worker, uint32_t incarnation, const std::string& how, TimePoint now);

  // Drains and stops every worker; restarts none.
  void StopAll(TimePoint now);
  bool empty() const;  // no process is left

  // Starts what is due and kills what is late. Call it after any of the above, and not later than
  // the time it returned.
  TimePoint Advance(TimePoint now);

  struct Member {
    WorkerId id = -1;
    uint32_t incarnation = 0;
    WorkerGroup role;  // count is 1
    FleetState state = FleetState::kStarting;
    int failed_starts = 0;  // in a row
    uint64_t restarts = 0;
    std::string last_end;
    bool incoming = false;  // belongs to the plan that is being changed to
    bool outgoing = false;  // does not belong to the plan in effect
    TimePoint due{};        // of the next timed step in this state
  };
  const std::vector<Member>& members() const;
  const Member* Find(WorkerId worker) const;

 private:
  std::vector<Member> members_;
  FleetActions* actions_;
  FleetOptions options_;
};

}  // namespace escan
