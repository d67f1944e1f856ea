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
// Of a worker of the plan in effect: as many as give a change of the plan up.
constexpr int kStartsOfAWrongShare = 2;

// A worker of the plan that cannot become ready, because its share answers wrongly.
const EngineStatus::Worker* WrongForEver(const EngineStatus& status) {
  const auto wrong = std::ranges::find_if(status.workers, [&](const EngineStatus::Worker& worker) {
    const WorkerGroup& role = worker.member.role;
    return worker.member.failed_starts >= kStartsOfAWrongShare &&
           std::ranges::any_of(status.doubtful_shares, [&role](const DoubtfulShare& share) {
             return share.device == role.device && share.stages == role.stages &&
                    share.thread_percent == role.thread_percent;
           });
  });
  return wrong == status.workers.end() ? nullptr : &*wrong;
}

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
    : cascade(std::move(of)),
      controller(cascade.prior, NamesOfStages(cascade.spec), options),
      cost(cascade.starts_in_turn) {}

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
  if (status.plan_change_in_progress || search_is_cancelled_) return;
  std::optional<PlanController::Request> request;
  if (status.ready) {
    const MutexLock lock(entry.mutex);
    if (entry.frozen()) return;
    request = entry.controller.Look(LoadOf(status), Clock::now());
  } else {
    request = LookAtUnready(entry, status);
  }
  if (request.has_value()) Record(entry, Decide(entry, status, *request));
}

std::optional<PlanController::Request> ControlLoop::LookAtUnready(Entry& entry,
                                                                  const EngineStatus& status) {
  const EngineStatus::Worker* const wrong = WrongForEver(status);
  if (wrong == nullptr) return std::nullopt;
  const MutexLock lock(entry.mutex);
  if (entry.frozen()) return std::nullopt;
  return entry.controller.Unservable(
      absl::StrCat("worker ", wrong->member.id, " with ", wrong->member.role.thread_percent,
                   " % answers wrongly before it is ready: ", wrong->member.last_end),
      Clock::now());
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
    const MutexLock lock(entry.mutex);
    entry.controller.Failed(Clock::now());
    return decision;
  }
  decision.workload = found->workload;
  decision.before = found->in_effect;
  decision.after = found->figures;
  PlanController::Verdict verdict;
  {
    const MutexLock lock(entry.mutex);
    if (request.trigger != SearchTrigger::kWrongAnswers) {
      verdict = entry.controller.Judge(found->workload, {status.plan, *found->in_effect},
                                       {found->plan, found->figures},
                                       entry.cost.Expect(status, found->plan));
    } else if (found->plan != status.plan) {
      verdict = {true, "the plan in effect never serves"};
    } else {
      verdict = {false, "no plan is left but the one in effect"};
      entry.controller.Failed(Clock::now());
    }
  }
  decision.reason = verdict.reason;
  if (verdict.change) Change(entry, status, found->plan, &decision);
  return decision;
}

void ControlLoop::Change(Entry& entry, const EngineStatus& status, const Plan& to,
                         PlanDecision* decision) {
  {
    const MutexLock lock(entry.mutex);
    if (search_is_cancelled_ || entry.frozen()) {
      absl::StrAppend(&decision->reason,
                      search_is_cancelled_ ? "; the daemon ends" : "; it was frozen since");
      return;
    }
  }
  ShowChanging(entry, *decision);
  const TimePoint begun = Clock::now();
  const absl::StatusOr<PlanChange> change = entry.cascade.set_plan(to);
  const TimePoint now = Clock::now();
  decision->change_time = now - begun;
  const EngineStatus after = entry.cascade.status();
  const MutexLock lock(entry.mutex);
  if (change.ok()) {
    decision->action = PlanAction::kChanged;
    entry.controller.Changed(status.plan.workers != to.workers, now);
    entry.cost.Measured(status, after, StartsFor(status.plan, to), decision->change_time);
  } else {
    decision->action = PlanAction::kFailed;
    absl::StrAppend(&decision->reason, "; ", change.status().message());
    entry.controller.Failed(now);
  }
}

void ControlLoop::ShowChanging(Entry& entry, const PlanDecision& decision) {
  PlanDecision changing = decision;
  changing.action = PlanAction::kChanging;
  spdlog::info("plan decision model={} {}", entry.cascade.spec.name, ToFields(changing));
  const MutexLock lock(entry.mutex);
  Show(entry, changing);
}

void ControlLoop::Record(Entry& entry, PlanDecision decision) {
  spdlog::info("plan decision model={} {}", entry.cascade.spec.name, ToFields(decision));
  const MutexLock lock(entry.mutex);
  ++entry.counts[static_cast<size_t>(decision.action)];
  Show(entry, decision);
}

void ControlLoop::Show(Entry& entry, const PlanDecision& decision) {
  if (!entry.history.empty() && entry.history.back().action == PlanAction::kChanging) {
    entry.history.pop_back();
  }
  if (entry.history.size() == kHistory) entry.history.pop_front();
  entry.history.push_back(decision);
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
  const MutexLock lock(entry->mutex);
  return entry->frozen() ? Mode::kFrozen : Mode::kAuto;
}

absl::Status ControlLoop::Freeze(std::string_view name) {
  const absl::StatusOr<Entry*> entry = FindControlled(name);
  if (!entry.ok()) return entry.status();
  spdlog::info("plan frozen model={}", (*entry)->cascade.spec.name);
  const MutexLock lock((*entry)->mutex);
  (*entry)->controller.Freeze();
  return absl::OkStatus();
}

absl::Status ControlLoop::Thaw(std::string_view name) {
  const absl::StatusOr<Entry*> entry = FindControlled(name);
  if (!entry.ok()) return entry.status();
  spdlog::info("plan thawed model={}", (*entry)->cascade.spec.name);
  const MutexLock lock((*entry)->mutex);
  (*entry)->controller.Thaw();
  return absl::OkStatus();
}

absl::StatusOr<PlanChange> ControlLoop::SetPlan(std::string_view name, const Plan& plan) {
  const absl::StatusOr<Entry*> entry = FindControlled(name);
  if (!entry.ok()) return entry.status();
  {
    const MutexLock lock((*entry)->mutex);
    ++(*entry)->being_set;
  }
  absl::StatusOr<PlanChange> change = (*entry)->cascade.set_plan(plan);
  const MutexLock lock((*entry)->mutex);
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
  const MutexLock lock(entry->mutex);
  return entry->counts;
}

std::vector<PlanDecision> ControlLoop::History(std::string_view name) const {
  const Entry* const entry = Find(name);
  if (entry == nullptr) return {};
  const MutexLock lock(entry->mutex);
  return {entry->history.begin(), entry->history.end()};
}

}  // namespace escan
