#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "contracts/mutex.h"
#include "controller/device_use.h"
#include "controller/find_plan.h"
#include "controller/plan_controller.h"
#include "controller/plan_decision.h"
#include "engine/engine.h"

namespace escan {

// A cascade whose plan follows its load. The functions may be called on any thread, and block.
struct ControlledCascade {
  CascadeSpec spec;
  Profile profile;
  int devices = 1;  // equal ones, the first of the configuration
  Workload prior;   // what its first plan was made for
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
  // An operator's plan for one of these cascades, which freezes it. Blocks until it is in effect,
  // as Engine::SetPlan. Aborted: a change is under way. When it fails, the plan before goes on, as
  // automatic as it was.
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
    PlanController controller;
    bool changing = false;  // one of the loop's own changes
    int being_set = 0;      // operators' plans on their way into effect

    bool frozen() const { return being_set > 0 || controller.frozen(); }

    std::deque<PlanDecision> history;
    Counts counts{};
  };

  void Run();
  void LookAt(Entry& entry);
  PlanDecision Decide(Entry& entry, const EngineStatus& status,
                      const PlanController::Request& request);
  void Change(Entry& entry, const Plan& from, const Plan& to, PlanDecision* decision);
  void Record(Entry& entry, PlanDecision decision);
  Entry* Find(std::string_view name) const;
  absl::StatusOr<Entry*> FindControlled(std::string_view name) const;

  const PlanSearch search_;
  const std::vector<std::unique_ptr<Entry>> entries_;  // their cascades never change
  mutable Mutex mutex_;                                // guards what else is in the entries
  CondVar wake_;
  bool stopping_ ESCAN_GUARDED_BY(mutex_) = false;
  std::atomic<bool> search_is_cancelled_ = false;
  std::thread thread_;
};

std::string_view Name(ControlLoop::Mode mode);  // "auto", "frozen", "fixed"

}  // namespace escan
