#include "controller/control_loop.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "allocation/profile_shares.h"

namespace escan {
namespace {

// A plan is made of shares at which answers were right so far.
Profile WithoutDoubtfulShares(const Profile& profile, const EngineStatus& status) {
  return KeepShares(profile, [&status](int thread_percent) {
    return std::ranges::count(status.doubtful_shares, thread_percent,
                              &DoubtfulShare::thread_percent) == 0;
  });
}

constexpr Duration kPeriod = std::chrono::seconds(1);

std::vector<std::string> NamesOfStages(const CascadeSpec& cascade) {
  std::vector<std::string> names;
  for (const StageSpec& stage : cascade.stages) names.push_back(stage.name);
  return names;
}

}  // namespace

std::string_view Name(ControlLoop::Mode mode) {
  switch (mode) {
    case ControlLoop::Mode::kAuto:
      return "auto";
    case ControlLoop::Mode::kFrozen:
      return "frozen";
    case ControlLoop::Mode::kFixed:
      return "fixed";
  }
  return "";
}

ControlLoop::Entry::Entry(ControlledCascade of, const ControllerOptions& options)
    : cascade(std::move(of)), controller(cascade.prior, NamesOfStages(cascade.spec), options) {}

ControlLoop::ControlLoop(std::vector<ControlledCascade> cascades, PlanSearch search,
                         const ControllerOptions& options)
    : search_(std::move(search)), entries_([&] {
        std::vector<std::unique_ptr<Entry>> entries;
        for (ControlledCascade& cascade : cascades) {
          entries.push_back(std::make_unique<Entry>(std::move(cascade), options));
        }
        return entries;
      }()) {}

ControlLoop::~ControlLoop() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

void ControlLoop::Start() {
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "controller");
}

void ControlLoop::Stop() {
  search_is_cancelled_ = true;
  MutexLock lock(mutex_);
  stopping_ = true;
  wake_.NotifyAll();
}

void ControlLoop::Run() {
  TimePoint next = Clock::now();
  while (true) {
    {
      MutexLock lock(mutex_);
      while (!stopping_ && wake_.WaitUntil(mutex_, next)) {
      }
      if (stopping_) return;
    }
    LookAtAll();
    next = std::max(next + kPeriod, Clock::now());
  }
}

void ControlLoop::LookAtAll() {
  for (const std::unique_ptr<Entry>& entry : entries_) LookAt(*entry);
}

void ControlLoop::LookAt(Entry& entry) {
  const EngineStatus status = entry.cascade.status();
  // Workers that start or end distort what is measured.
  if (status.plan_change_in_progress || !status.ready) return;
  std::optional<PlanController::Request> request;
  {
    MutexLock lock(mutex_);
    if (stopping_ || entry.frozen()) return;
    request = entry.controller.Look(LoadOf(status), Clock::now());
  }
  if (request.has_value()) Record(entry, Decide(entry, status, *request));
}

PlanDecision ControlLoop::Decide(Entry& entry, const EngineStatus& status,
                                 const PlanController::Request& request) {
  PlanDecision decision{.time = Clock::now(),
                        .trigger = request.trigger,
                        .cause = request.cause,
                        .workload = request.workload,
                        .samples = request.samples};
  const DeviceUse others = entry.cascade.others();
  const Profile profile =
      ProfileBeside(WithoutDoubtfulShares(entry.cascade.profile, status), others);
  const absl::StatusOr<FoundPlan> found = search_({.profile = profile,
                                                   .cascade = entry.cascade.spec,
                                                   .workload = request.workload,
                                                   .devices = entry.cascade.devices,
                                                   .limits = LimitsBeside(others),
                                                   .in_effect = &status.plan,
                                                   .cancelled = &search_is_cancelled_},
                                                  request.saturated);
  decision.search_time = Clock::now() - decision.time;
  if (!found.ok()) {
    decision.action = PlanAction::kFailed;
    decision.reason = std::string(found.status().message());
    MutexLock lock(mutex_);
    entry.controller.Failed(Clock::now());
    return decision;
  }
  decision.workload = found->workload;
  decision.before = found->in_effect;
  decision.after = found->figures;
  const PlanController::Verdict verdict = entry.controller.Judge(
      found->workload, {status.plan, *found->in_effect}, {found->plan, found->figures});
  decision.reason = verdict.reason;
  if (verdict.change) Change(entry, status.plan, found->plan, &decision);
  return decision;
}

void ControlLoop::Change(Entry& entry, const Plan& from, const Plan& to, PlanDecision* decision) {
  {
    MutexLock lock(mutex_);
    if (stopping_ || entry.frozen()) {
      absl::StrAppend(&decision->reason, stopping_ ? "; the daemon ends" : "; it was frozen since");
      return;
    }
    entry.changing = true;
  }
  const TimePoint begun = Clock::now();
  const absl::StatusOr<PlanChange> change = entry.cascade.set_plan(to);
  const TimePoint now = Clock::now();
  decision->change_time = now - begun;
  MutexLock lock(mutex_);
  entry.changing = false;
  if (change.ok()) {
    decision->action = PlanAction::kChanged;
    entry.controller.Changed(from.workers != to.workers, now);
  } else {
    decision->action = PlanAction::kFailed;
    absl::StrAppend(&decision->reason, "; ", change.status().message());
    entry.controller.Failed(now);
  }
}

void ControlLoop::Record(Entry& entry, PlanDecision decision) {
  spdlog::info("plan decision model={} {}", entry.cascade.spec.name, ToFields(decision));
  MutexLock lock(mutex_);
  ++entry.counts[static_cast<size_t>(decision.action)];
  if (entry.history.size() == kHistory) entry.history.pop_front();
  entry.history.push_back(std::move(decision));
}

// --- operators

ControlLoop::Entry* ControlLoop::Find(std::string_view name) const {
  for (const std::unique_ptr<Entry>& entry : entries_) {
    if (entry->cascade.spec.name == name) return entry.get();
  }
  return nullptr;
}

absl::StatusOr<ControlLoop::Entry*> ControlLoop::FindControlled(std::string_view name) const {
  if (Entry* entry = Find(name)) return entry;
  return absl::FailedPreconditionError(
      absl::StrCat("the plan of model '", std::string(name),
                   "' is fixed: it does not follow the load, for want of plan: auto in the "
                   "configuration or of a profile that holds"));
}

ControlLoop::Mode ControlLoop::mode(std::string_view name) const {
  const Entry* const entry = Find(name);
  if (entry == nullptr) return Mode::kFixed;
  MutexLock lock(mutex_);
  return entry->frozen() ? Mode::kFrozen : Mode::kAuto;
}

absl::Status ControlLoop::Freeze(std::string_view name) {
  const absl::StatusOr<Entry*> entry = FindControlled(name);
  if (!entry.ok()) return entry.status();
  spdlog::info("plan frozen model={}", (*entry)->cascade.spec.name);
  MutexLock lock(mutex_);
  (*entry)->controller.Freeze();
  return absl::OkStatus();
}

absl::Status ControlLoop::Thaw(std::string_view name) {
  const absl::StatusOr<Entry*> entry = FindControlled(name);
  if (!entry.ok()) return entry.status();
  spdlog::info("plan thawed model={}", (*entry)->cascade.spec.name);
  MutexLock lock(mutex_);
  (*entry)->controller.Thaw();
  return absl::OkStatus();
}

absl::StatusOr<PlanChange> ControlLoop::SetPlan(std::string_view name, const Plan& plan) {
  const absl::StatusOr<Entry*> entry = FindControlled(name);
  if (!entry.ok()) return entry.status();
  {
    MutexLock lock(mutex_);
    if ((*entry)->changing) return absl::AbortedError("another plan change is under way");
    ++(*entry)->being_set;
  }
  absl::StatusOr<PlanChange> change = (*entry)->cascade.set_plan(plan);
  MutexLock lock(mutex_);
  --(*entry)->being_set;
  if (change.ok()) {
    (*entry)->controller.Freeze();
    spdlog::info("plan frozen model={} reason=\"an operator set one\"",
                 (*entry)->cascade.spec.name);
  }
  return change;
}

ControlLoop::Counts ControlLoop::counts(std::string_view name) const {
  const Entry* const entry = Find(name);
  if (entry == nullptr) return {};
  MutexLock lock(mutex_);
  return entry->counts;
}

std::vector<PlanDecision> ControlLoop::History(std::string_view name) const {
  const Entry* const entry = Find(name);
  if (entry == nullptr) return {};
  MutexLock lock(mutex_);
  return {entry->history.begin(), entry->history.end()};
}

}  // namespace escan
