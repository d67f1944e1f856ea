#include "engine/engine_loop.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/status_parts.h"
#include "spdlog/spdlog.h"

namespace escan {
namespace {

// How long the kernel may take to end a worker that was killed, before the engine's end no longer
// waits for it.
constexpr Duration kLongestKill = std::chrono::seconds(5);

// With what the cascade wants to be watched by.
SchedulerOptions WithWatches(SchedulerOptions options, const CascadeSpec& cascade) {
  options.verify_every = cascade.verify_every;
  options.audit_every = cascade.audit_every;
  options.brown_out = !cascade.lowest_thresholds.empty();
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EngineLoop>> EngineLoop::Create(const Environment& environment,
                                                               const Plan& plan) {
  absl::StatusOr<std::unique_ptr<Poller>> poller = Poller::Create();
  if (!poller.ok()) return poller.status();
  absl::StatusOr<std::unique_ptr<SideThread>> side = SideThread::Start("processes");
  if (!side.ok()) return side.status();
  absl::Status added = (*poller)->Add(environment.mailbox->fd(), {Poller::Source::kMailbox});
  if (added.ok()) added = (*poller)->Add((*side)->fd(), {Poller::Source::kSideThread});
  if (!added.ok()) return added;
  return std::unique_ptr<EngineLoop>(
      new EngineLoop(environment, plan, *std::move(poller), *std::move(side)));
}

EngineLoop::EngineLoop(const Environment& environment, const Plan& plan,
                       std::unique_ptr<Poller> poller, std::unique_ptr<SideThread> side)
    : environment_(environment),
      poller_(std::move(poller)),
      scheduler_(*environment.cascade, plan, environment.slots->next(), this,
                 WithWatches(environment.options->scheduler, *environment.cascade)),
      fleet_(this, environment.options->fleet),
      changer_(environment.cascade->name, plan, &fleet_, &scheduler_),
      launcher_(*environment.cascade, *environment.layout, *environment.slab, *environment.probes,
                environment.models, *environment.options),
      links_(*environment.cascade, environment.options->host.get(), poller_.get()),
      checks_(*environment.cascade),
      audits_(*environment.cascade, *environment.layout, *environment.slab),
      starts_({.options = environment.options,
               .fleet = &fleet_,
               .links = &links_,
               .launcher = &launcher_,
               .side = side.get()}),
      supervisor_({.cascade = environment.cascade,
                   .options = environment.options,
                   .mailbox = environment.mailbox,
                   .side = side.get(),
                   .scheduler = &scheduler_,
                   .fleet = &fleet_,
                   .links = &links_,
                   .starts = &starts_,
                   .checks = &checks_,
                   .records = &answer_records_}),
      completions_(static_cast<size_t>(environment.slots->slots())),
      readiness_(ReadinessOf(*environment.cascade, scheduler_, fleet_)),
      side_(std::move(side)) {
  Publish(Clock::now());
}

void EngineLoop::Run() {
  changer_.Begin(Clock::now());
  while (true) {
    TakeMail(Clock::now());
    const TimePoint now = Clock::now();
    const TimePoint decided = Decide(now);
    PublishReady();
    const TimePoint next = std::min(decided, PublishStatus(now));
    environment_.completer->Push(finished_);
    for (const std::function<void()>& then : std::exchange(after_publication_, {})) then();
    const bool sleep = environment_.mailbox->PrepareToSleep();
    if (stopping_ && sleep && (fleet_.empty() || now >= give_up_at_)) break;
    WaitAndHandle(sleep ? next : TimePoint::min());
  }
  if (!fleet_.empty()) {
    spdlog::error("workers did not end model={} reason=\"the kernel does not let them go\"",
                  environment_.cascade->name);
  }
}

// Workers are checked right after all that they said was read, against the time before: what was
// due then and is not there now is late. When this process did not run for a while, the workers
// perhaps did not either: they get their time anew.
void EngineLoop::WaitAndHandle(TimePoint next) {
  const TimePoint before = Clock::now();
  for (const Poller::Event& event : poller_->Wait(next)) {
    HandleEvent(event, Clock::now());
  }
  const TimePoint after = Clock::now();
  if (pause_detector_.Paused(next, after)) patient_until_ = after + kHeartbeatTimeout;
  if (before >= patient_until_) supervisor_.CheckWorkers(before);
}

// --- requests

void EngineLoop::TakeMail(TimePoint now) {
  environment_.mailbox->Take(mail_);
  for (const Mailbox::RequestEvent& event : mail_.requests) {
    if (event.kind == Mailbox::RequestEvent::Kind::kCancel) {
      scheduler_.Cancel(event.admission.key, now);
      continue;
    }
    completions_[event.admission.key.first_slot] = event.completion;
    scheduler_.Admit(event.admission, now);
  }
  if (!mail_.requests.empty()) status_.Touch();
  if (!mail_.calls.empty()) status_.TouchAll();
  for (const std::function<void()>& call : mail_.calls) call();
  mail_.requests.clear();
  mail_.calls.clear();
  if (stopping_) scheduler_.FailAll(now);
}

void EngineLoop::Complete(const RequestKey& key, const Outcome& outcome) {
  status_.Touch();
  finished_.push_back({.completion = completions_[key.first_slot], .outcome = outcome});
}

void EngineLoop::Settled(const RequestKey& key) { environment_.slots->Drop(key); }

void EngineLoop::Dispatch(const Batch& batch) {
  WorkerLink& link = *links_.Find(batch.worker);
  batch_frame_.header.incarnation = link.incarnation();
  batch_frame_.sequence = batch.sequence;
  batch_frame_.stage = static_cast<uint32_t>(batch.stage);
  batch_frame_.rows = static_cast<uint32_t>(batch.slots.size());
  batch_frame_.threshold = batch.threshold;
  batch_frame_.compare = batch.purpose == BatchPurpose::kCompare ? 1 : 0;
  std::copy(batch.slots.begin(), batch.slots.end(), batch_frame_.slots.begin());
  const absl::Status sent = link.process().socket().Send(batch_frame_);
  if (!sent.ok()) {
    unsent_.push_back(
        {.worker = batch.worker, .sequence = batch.sequence, .ending = absl::IsUnavailable(sent)});
  }
}

// --- checks of answers

void EngineLoop::Compared(const Comparison& comparison) {
  status_.TouchAll();
  if (answer_records_.Add(comparison)) wrong_workers_.push_back(comparison.wrong);
  if (comparison.differ == 0) return;
  const CascadeSpec& cascade = *environment_.cascade;
  const std::string& stage = cascade.stages[static_cast<size_t>(comparison.stage)].name;
  if (comparison.wrong < 0) {
    spdlog::warn(
        "answers differ model={} stage={} workers={},{} checked={} differ={} difference=\"{}\"",
        cascade.name, stage, comparison.answered, comparison.compared, comparison.rows,
        comparison.differ, comparison.message);
    return;
  }
  const WorkerAnswers answers = answer_records_.of(comparison.wrong, comparison.stage);
  spdlog::error(
      "answers wrong model={} worker={} stage={} share={}% checked={} wrong={} served_since={} "
      "difference=\"{}\"",
      cascade.name, comparison.wrong, stage, fleet_.Find(comparison.wrong)->role.thread_percent,
      answers.checked, answers.wrong, comparison.unverified, comparison.message);
}

void EngineLoop::Audited(const AuditedSample& sample) { audits_.Add(sample); }

void EngineLoop::Drifted(int stage, const DriftStatus& drift) {
  const bool drifted = drift.state == DriftStatus::State::kDrifted;
  spdlog::log(drifted ? spdlog::level::warn : spdlog::level::info,
              "scores {} model={} stage={} samples={} moved={:.3f} chi_square={:.1f} limit={:.1f}",
              drifted ? "have drifted from the calibration" : "are as calibrated",
              environment_.cascade->name,
              environment_.cascade->stages[static_cast<size_t>(stage)].name, drift.samples,
              drift.moved, drift.statistic, drift.limit);
}

void EngineLoop::BrownedOut(int level) {
  status_.TouchAll();
  spdlog::log(level > 0 ? spdlog::level::warn : spdlog::level::info,
              "thresholds {} model={} level={} of={}",
              level > 0 ? "are lowered for overload" : "are no longer lowered",
              environment_.cascade->name, level, BrownOut::kLevels);
}

// The rows that such a worker holds have no part in it.
void EngineLoop::ReplaceWrongWorkers(TimePoint now) {
  for (const WorkerId worker : std::exchange(wrong_workers_, {})) {
    WorkerLink* const link = links_.Find(worker);
    if (link == nullptr || link->condemned()) continue;
    answer_records_.Doubt(link->role());
    supervisor_.Distrust(
        worker, *link,
        absl::StrCat("its answers were wrong in ", AnswerRecords::kMostTimesWrong, " checks"), now,
        WorkerEnd::kBlameless);
  }
}

// --- time

TimePoint EngineLoop::Decide(TimePoint now) {
  ReplaceWrongWorkers(now);
  for (const WorkerStarts::Failed& failed : starts_.TakeFailed()) {
    fleet_.Exited(failed.worker, failed.incarnation, failed.reason, now);
  }
  TimePoint next = scheduler_.Advance(now);
  // Rows that a worker could not be given have no part in its end.
  for (const UnsentBatch& unsent : std::exchange(unsent_, {})) {
    if (unsent.ending) {
      scheduler_.WorkerDraining(unsent.worker, now);
    } else {
      supervisor_.Distrust(unsent.worker, *links_.Find(unsent.worker),
                           "it does not read its socket", now);
    }
    scheduler_.BatchUnsent(unsent.worker, unsent.sequence, now);
    next = now;
  }
  const TimePoint check = std::max(supervisor_.NextCheck(), patient_until_);
  next = std::min({next, fleet_.Advance(now), check, give_up_at_});
  changer_.Advance(now);
  return TellDrained(now) || starts_.any_failed() ? now : next;
}

bool EngineLoop::TellDrained(TimePoint now) {
  bool told = false;
  for (const auto& [worker, link] : links_.all()) {
    const Fleet::Member* member = fleet_.Find(worker);
    if (member == nullptr || member->state != FleetState::kDraining) continue;
    // At the end nobody waits for what a worker still holds: it is asked to end right after that.
    if (!scheduler_.idle(worker) && !stopping_) continue;
    fleet_.Drained(worker, now);
    told = true;
  }
  return told;
}

// --- workers

void EngineLoop::StartWorker(WorkerId worker, uint32_t incarnation, const WorkerGroup& role) {
  status_.TouchAll();
  checks_.Assign(worker, role);
  answer_records_.Assign(worker, role);
  starts_.Start(worker, incarnation, role);
}

void EngineLoop::DrainWorker(WorkerId worker) {
  status_.TouchAll();
  scheduler_.WorkerDraining(worker, Clock::now());
}

void EngineLoop::StopWorker(WorkerId worker) {
  status_.TouchAll();
  if (WorkerLink* link = links_.Find(worker)) link->Stop();
}

void EngineLoop::KillWorker(WorkerId worker) {
  status_.TouchAll();
  if (WorkerLink* link = links_.Find(worker)) return link->Retire();
  starts_.GiveUp(worker);
}

void EngineLoop::HandleEvent(const Poller::Event& event, TimePoint now) {
  switch (event.source) {
    case Poller::Source::kMailbox:
      return environment_.mailbox->Woken();
    case Poller::Source::kSideThread:
      status_.TouchAll();
      return side_->RunRests();
    case Poller::Source::kSocket:
      links_.Serves(event.owner) ? status_.Touch() : status_.TouchAll();
      return supervisor_.HandleReadable(event.owner, now);
    case Poller::Source::kProcess:
      status_.TouchAll();
      return supervisor_.HandleEnd(event.owner, now);
  }
}

void EngineLoop::DeviceFaulted(int device) { supervisor_.ExpelFrom(device, Clock::now()); }

// --- plans

void EngineLoop::SetPlan(const Plan& plan, PlanChanger::PlanChanged done) {
  if (stopping_) return done(absl::UnavailableError("the daemon is shutting down"));
  changer_.SetPlan(plan, std::move(done), Clock::now());
}

void EngineLoop::RenewWorkers(int device, PlanChanger::Renewed done) {
  if (stopping_) return done(absl::UnavailableError("the daemon is shutting down"));
  changer_.Renew(device, std::move(done), Clock::now());
}

void EngineLoop::SetThreshold(int stage, float threshold) {
  scheduler_.SetThreshold(stage, threshold, Clock::now());
}

void EngineLoop::Stop() {
  if (stopping_) return;
  const TimePoint now = Clock::now();
  status_.TouchAll();
  Publish(now);
  stopping_ = true;
  give_up_at_ = now + environment_.options->fleet.stop_timeout + kLongestKill;
  environment_.mailbox->Close();
  changer_.Abort();
  scheduler_.FailAll(now);
  fleet_.StopAll(now);
}

// --- observation

void EngineLoop::OnReadyChange(std::function<void(bool)> callback) {
  on_ready_change_ = std::move(callback);
  on_ready_change_(readiness_.ready());
}

void EngineLoop::OnDeviceFault(std::function<void(int)> callback) {
  supervisor_.OnDeviceFault(std::move(callback));
}

void EngineLoop::OnUnservable(std::function<void(std::string)> callback) {
  supervisor_.OnUnservable([this, callback = std::move(callback)](std::string reason) {
    if (!was_ready_) callback(std::move(reason));
  });
}

void EngineLoop::AfterPublication(std::function<void()> then) {
  status_.TouchAll();
  after_publication_.push_back(std::move(then));
}

TimePoint EngineLoop::PublishStatus(TimePoint now) {
  // What was so before the end began stays to be seen.
  if (stopping_) return TimePoint::max();
  // Whoever was answered last finds itself counted.
  if (!finished_.empty() && scheduler_.requests() == 0) status_.TouchAtOnce();
  if (now >= status_.due()) Publish(now);
  return status_.due();
}

void EngineLoop::Publish(TimePoint now) {
  status_.Publish({.stages = StagesStatus(changer_.plan(), scheduler_, fleet_, audits_),
                   .requests = scheduler_.requests()},
                  status_.all_is_due() ? std::optional(Status()) : std::nullopt, now);
}

void EngineLoop::PublishReady() {
  Readiness::State state = stopping_ ? Readiness::State{.reason = "the server is shutting down"}
                                     : ReadinessOf(*environment_.cascade, scheduler_, fleet_);
  const bool was_ready = readiness_.ready();
  if (!readiness_.Publish(std::move(state))) return;
  status_.TouchAll();
  const bool now_ready = readiness_.ready();
  was_ready_ = was_ready_ || now_ready;
  if (now_ready != was_ready) {
    spdlog::info("model {} model={}", now_ready ? "ready" : "not ready",
                 environment_.cascade->name);
  }
  if (on_ready_change_) on_ready_change_(now_ready);
}

EngineStatus EngineLoop::Status() const {
  return {.workers = WorkersStatus(fleet_, links_, checks_),
          .answers = answer_records_.all(),
          .doubtful_shares = answer_records_.doubtful_shares(),
          .plan = changer_.plan(),
          .slots = environment_.slots->slots(),
          .worker_restarts = supervisor_.restarts(),
          .plan_changes = changer_.changes(),
          .plan_change_in_progress = changer_.in_progress(),
          .brown_out = scheduler_.brown_out().level(),
          .brown_out_steps = scheduler_.brown_out().steps(),
          .ready = readiness_.ready()};
}

}  // namespace escan
