#include "engine/status_parts.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

bool Hosts(const Fleet::Member& member, int stage) {
  const std::vector<int>& stages = member.role.stages;
  return std::find(stages.begin(), stages.end(), stage) != stages.end();
}

// How a start ended last, when those of all workers of a stage fail; nullptr when one may succeed.
const std::string* FailureOf(const Fleet& fleet, int stage) {
  const std::string* failure = nullptr;
  for (const Fleet::Member& member : fleet.members()) {
    if (!Hosts(member, stage) || member.leaving) continue;
    if (member.failed_starts == 0) return nullptr;
    failure = &member.last_end;
  }
  return failure;
}

}  // namespace

Readiness::State ReadinessOf(const CascadeSpec& cascade, const Scheduler& scheduler,
                             const Fleet& fleet) {
  Readiness::State state;
  for (int stage = 0; stage < cascade.stage_count() && !state.failed; ++stage) {
    if (scheduler.hosted(stage)) continue;
    const std::string* const failure = FailureOf(fleet, stage);
    if (failure == nullptr && !state.reason.empty()) continue;
    state.failed = failure != nullptr;
    state.reason = absl::StrCat("stage '", cascade.stages[static_cast<size_t>(stage)].name,
                                "' of model '", cascade.name, "' has no ready worker",
                                state.failed ? ": " : "", state.failed ? *failure : "");
  }
  return state;
}

std::vector<EngineStatus::Worker> WorkersStatus(const Fleet& fleet, const WorkerLinks& links,
                                                const WorkerChecks& checks) {
  std::vector<EngineStatus::Worker> workers;
  for (const Fleet::Member& member : fleet.members()) {
    EngineStatus::Worker worker{.member = member};
    if (const WorkerLink* link = links.Find(member.id)) {
      worker.pid = link->process().pid();
      worker.reported = link->reported().state;
      worker.progress_done = static_cast<int>(link->reported().done);
      worker.progress_total = static_cast<int>(link->reported().total);
      worker.multiprocessors = static_cast<int>(link->reported().multiprocessors);
      worker.device_memory = static_cast<size_t>(link->reported().device_memory);
      worker.checks = link->checks();
    } else if (const std::vector<BucketCheck>* last = checks.of_ended(member.id)) {
      worker.checks = *last;
    }
    workers.push_back(std::move(worker));
  }
  return workers;
}

std::vector<EngineStatus::Stage> StagesStatus(const Plan& plan, const Scheduler& scheduler,
                                              const Fleet& fleet, const ExitAudits& audits) {
  std::vector<EngineStatus::Stage> entries;
  for (int stage = 0; stage < static_cast<int>(plan.stages.size()); ++stage) {
    EngineStatus::Stage& entry = entries.emplace_back();
    entry.policy = plan.stages[static_cast<size_t>(stage)];
    entry.threshold = scheduler.threshold(stage);
    entry.set_threshold = scheduler.set_threshold(stage);
    entry.queued = scheduler.queued(stage);
    entry.in_flight = scheduler.in_flight(stage);
    entry.statistics = scheduler.statistics(stage);
    entry.audits = audits.of(stage);
    entry.ready_workers = static_cast<int>(std::count_if(
        fleet.members().begin(), fleet.members().end(), [&](const Fleet::Member& member) {
          return member.state == FleetState::kReady && Hosts(member, stage);
        }));
  }
  return entries;
}

}  // namespace escan
