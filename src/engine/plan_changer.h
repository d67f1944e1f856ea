#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/plan_change.h"
#include "scheduling/scheduler.h"
#include "supervision/fleet.h"

namespace escan {

// Carries changes of the plan and renewals of workers out, one at a time: the fleet replaces
// processes, and when it has switched the scheduler gets the policies that go with them. The last
// plan that was asked for is the one that counts: it supersedes a change in progress, and one that
// waits. Knows the plan in effect. Used by the engine's thread only. Every `done` is called exactly
// once, and not after Abort().
class PlanChanger {
 public:
  using PlanChanged = std::function<void(absl::StatusOr<PlanChange>)>;
  using Renewed = std::function<void(absl::Status)>;

  // `fleet` and `scheduler` outlive this. The fleet has not begun yet.
  PlanChanger(std::string model, const Plan& plan, Fleet* fleet, Scheduler* scheduler);

  // Puts the first plan's workers into effect.
  void Begin(TimePoint now);

  const Plan& plan() const { return plan_; }
  uint64_t changes() const { return changes_; }  // of the plan
  bool in_progress() const { return current_.has_value(); }

  // Supersedes a change of the plan that is in progress, whose `done` gets Aborted; begins after a
  // renewal that is.
  void SetPlan(const Plan& plan, PlanChanged done, TimePoint now);
  // Replaces the workers on `device`, after the change in progress if there is one.
  void Renew(int device, Renewed done, TimePoint now);
  // Moves on what is in progress. Call it after the fleet moved.
  void Advance(TimePoint now);
  // Gives up what is in progress and what waits, with Unavailable.
  void Abort();

 private:
  struct Change {
    std::optional<Plan> plan;  // none: a renewal
    PlanChanged done;
    TimePoint started;
    bool switched = false;
  };
  struct Renewal {
    int device;
    Renewed done;
  };

  bool renewing() const { return current_.has_value() && !current_->plan.has_value(); }
  void BeginChange(Change change, TimePoint now);
  void Supersede(TimePoint now);
  void BeginRenewal(TimePoint now);
  void AdvanceCurrent(TimePoint now);
  void FinishSwitched(TimePoint now);
  void Finish(absl::StatusOr<PlanChange> result);

  const std::string model_;
  Plan plan_;
  Fleet* const fleet_;
  Scheduler* const scheduler_;
  std::optional<Change> current_;
  std::optional<Change> waiting_;  // for the end of a renewal
  std::deque<Renewal> renewals_;
  uint64_t changes_ = 0;
};

}  // namespace escan
