#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "contracts/mutex.h"
#include "controller/change_cost.h"
#include "controller/device_use.h"
#include "controller/find_plan.h"
#include "controller/plan_controller.h"
#include "controller/plan_decision.h"
#include "engine/engine_status.h"
#include "engine/plan_change.h"
#include "escan/cascade.h"

namespace escan {

// A cascade whose plan follows its load. The functions may be called on any thread, and block.
struct ControlledCascade {
  CascadeSpec spec;
  Profile profile;
  int devices = 1;              // equal ones, the first of the configuration
  bool starts_in_turn = false;  // workers start one after the other, as on a CPU
  Workload prior;               // what its first plan was made for
  std::function<EngineStatus()> status;
  std::function<absl::StatusOr<PlanChange>(const Plan&)> set_plan;
  std::function<DeviceUse()> others;  // what other cascades take of these devices
};

// Looks at each cascade once a second on a thread of its own, and carries out what PlanController
// decides: searches there, and changes plans, of one cascade after the other, so that two do not
// count on the same memory. While one changes, which may take minutes, the others wait. All
// methods: any thread. Owned by ServerState.
class ControlLoop {
 public:
  explicit ControlLoop(std::vector<ControlledCascade> cascades, PlanSearch search = FindPlan,
                       const ControllerOptions& options = {});
  // Waits for what is under way: a change, which ends at once when its engine stops, or a search,
  // which may take seconds.
  ~ControlLoop();

  void Start();
  // No search and no change begins from now on. Does not block.
  void Stop();

  enum class Mode { kAuto, kFrozen, kFixed };
  // kFixed: the cascade is none of these.
  Mode mode(std::string_view name) const;
  // FailedPrecondition: its plan is fixed.
  absl::Status Freeze(std::string_view name);
  absl::Status Thaw(std::string_view name);
  // An operator's plan for one of these cascades, which freezes it. It supersedes a change that is
  // under way. Blocks until it is in effect, as Engine::SetPlan. When it fails, the plan before
  // goes on, as automatic as it was.
  absl::StatusOr<PlanChange> SetPlan(std::string_view name, const Plan& plan);

  // How many decisions there were, by PlanAction.
  using Counts = std::array<uint64_t, kPlanActions.size()>;
  Counts counts(std::string_view name) const;
  // The last kHistory of them, oldest first.
  std::vector<PlanDecision> History(std::string_view name) const;

  // One look at each cascade, as the thread takes it.
  void LookAtAll();

 private:
  static constexpr size_t kHistory = 64;

  struct Entry {
    Entry(ControlledCascade of, const ControllerOptions& options);

    const ControlledCascade cascade;
    mutable Mutex mutex;
    PlanController controller ESCAN_GUARDED_BY(mutex);
    ChangeCostMeter cost ESCAN_GUARDED_BY(mutex);
    int being_set ESCAN_GUARDED_BY(mutex) = 0;  // operators' plans on their way into effect
    std::deque<PlanDecision> history ESCAN_GUARDED_BY(mutex);
    Counts counts ESCAN_GUARDED_BY(mutex){};

    bool frozen() const ESCAN_REQUIRES(mutex) { return being_set > 0 || controller.frozen(); }
  };

  void Run();
  void LookAt(Entry& entry);
  // Of one that is not ready: whether its plan is to blame.
  std::optional<PlanController::Request> LookAtUnready(Entry& entry, const EngineStatus& status);
  PlanDecision Decide(Entry& entry, const EngineStatus& status,
                      const PlanController::Request& request);
  void Change(Entry& entry, const EngineStatus& status, const Plan& to, PlanDecision* decision);
  // A decision that has come to its end; one that was shown as kChanging takes that one's place.
  void Record(Entry& entry, PlanDecision decision);
  void ShowChanging(Entry& entry, const PlanDecision& decision);
  void Show(Entry& entry, const PlanDecision& decision) ESCAN_REQUIRES(entry.mutex);
  Entry* Find(std::string_view name) const;
  absl::StatusOr<Entry*> FindControlled(std::string_view name) const;

  const PlanSearch search_;
  const std::vector<std::unique_ptr<Entry>> entries_;  // their cascades never change
  Mutex mutex_;
  CondVar wake_;
  bool stopping_ ESCAN_GUARDED_BY(mutex_) = false;
  std::atomic<bool> search_is_cancelled_ = false;  // the same, for who does not wait
  std::thread thread_;
};

std::string_view Name(ControlLoop::Mode mode);  // "auto", "frozen", "fixed"

}  // namespace escan
