#include "engine/engine_loop.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "engine/status_parts.h"
#include "spdlog/spdlog.h"
#include "supervision/worker_exit.h"

namespace escan {
namespace {

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
  const absl::Status added =
      (*poller)->Add(environment.mailbox->fd(), {.source = Poller::Source::kMailbox, .owner = 0});
  if (!added.ok()) return added;
  return std::unique_ptr<EngineLoop>(new EngineLoop(environment, plan, std::move(*poller)));
}

EngineLoop::EngineLoop(const Environment& environment, const Plan& plan,
                       std::unique_ptr<Poller> poller)
    : environment_(environment),
      poller_(std::move(poller)),
      scheduler_(*environment.cascade, plan, environment.slots->next(), this,
                 WithWatches(environment.options->scheduler, *environment.cascade)),
      fleet_(this, environment.options->fleet),
      changer_(environment.cascade->name, plan, &fleet_, &scheduler_),
      links_(*environment.cascade, *environment.layout, *environment.slab, *environment.probes,
             environment.models, *environment.options, poller_.get()),
      starts_(*environment.options, fleet_, &links_),
      checks_(*environment.cascade),
      audits_(*environment.cascade, *environment.layout, *environment.slab),
      completions_(static_cast<size_t>(environment.slots->slots())),
      readiness_(ReadinessOf(*environment.cascade, scheduler_, fleet_)) {}

void EngineLoop::Run() {
  changer_.Begin(Clock::now());
  while (true) {
    TakeMail(Clock::now());
    const TimePoint next = Decide(Clock::now());
    environment_.completer->Push(finished_);
    PublishReady();
    const bool sleep = environment_.mailbox->PrepareToSleep();
    if (stopping_ && sleep && fleet_.empty()) break;
    WaitAndHandle(sleep ? next : TimePoint::min());
  }
}

// Workers are checked right after all that they said was read, against the time before: what was
// due then and is not there now is late. When this process did not run for a while, the workers
// perhaps did not either: they get their time anew.
void EngineLoop::WaitAndHandle(TimePoint next) {
  const TimePoint before = Clock::now();
  for (const Poller::Event& event : poller_->Wait(next)) HandleEvent(event, Clock::now());
  const TimePoint after = Clock::now();
  if (pause_detector_.Paused(next, after)) patient_until_ = after + kHeartbeatTimeout;
  CheckWorkers(before);
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
  for (const std::function<void()>& call : mail_.calls) call();
  mail_.requests.clear();
  mail_.calls.clear();
  if (stopping_) scheduler_.FailAll(now);
}

void EngineLoop::Complete(const RequestKey& key, const Outcome& outcome) {
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
    Distrust(worker, *link,
             absl::StrCat("its answers were wrong in ", AnswerRecords::kMostTimesWrong, " checks"),
             now, WorkerEnd::kBlameless);
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
      Distrust(unsent.worker, *links_.Find(unsent.worker), "it does not read its socket", now);
    }
    scheduler_.BatchUnsent(unsent.worker, unsent.sequence, now);
    next = now;
  }
  next = std::min({next, fleet_.Advance(now), NextCheck()});
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

TimePoint EngineLoop::NextCheck() const {
  TimePoint next = TimePoint::max();
  for (const auto& [worker, link] : links_.all()) {
    if (!link->condemned()) {
      next = std::min({next, scheduler_.HangDeadline(worker), link->deadline()});
    }
  }
  return next == TimePoint::max() ? next : std::max(next, patient_until_);
}

void EngineLoop::CheckWorkers(TimePoint now) {
  if (now < patient_until_) return;
  for (const auto& [worker, link] : links_.all()) {
    if (link->condemned()) continue;
    if (now >= scheduler_.HangDeadline(worker)) {
      Distrust(worker, *link, "it did not answer a batch in time", now);
    } else if (now >= link->deadline()) {
      Distrust(worker, *link, link->overdue_reason(), now);
    }
  }
}

void EngineLoop::Distrust(WorkerId worker, WorkerLink& link, const std::string& reason,
                          TimePoint now, WorkerEnd end) {
  links_.Condemn(link, reason, end);
  scheduler_.WorkerDraining(worker, now);
}

// --- workers

void EngineLoop::StartWorker(WorkerId worker, uint32_t incarnation, const WorkerGroup& role) {
  starts_.Start(worker, incarnation, role);
}

void EngineLoop::DrainWorker(WorkerId worker) { scheduler_.WorkerDraining(worker, Clock::now()); }

void EngineLoop::StopWorker(WorkerId worker) {
  if (WorkerLink* link = links_.Find(worker)) link->Stop();
}

void EngineLoop::KillWorker(WorkerId worker) {
  if (WorkerLink* link = links_.Find(worker)) return link->Retire();
  starts_.GiveUp(worker);
}

void EngineLoop::HandleEvent(const Poller::Event& event, TimePoint now) {
  if (event.source == Poller::Source::kMailbox) {
    environment_.mailbox->Woken();
    return;
  }
  WorkerLink* const link = links_.Find(event.owner);
  if (link == nullptr) return;  // its end was handled before in this round
  ReadFrames(event.owner, *link, now);
  if (event.source == Poller::Source::kProcess) HandleEnd(event.owner, now);
}

void EngineLoop::ReadFrames(WorkerId worker, WorkerLink& link, TimePoint now) {
  while (link.readable()) {
    const absl::StatusOr<FrameSocket::Frame> frame = link.process().socket().Receive(false);
    if (absl::IsUnavailable(frame.status())) {
      links_.SocketClosed(link, now);
      scheduler_.WorkerDraining(worker, now);
      return;
    }
    if (!frame.ok()) {
      Distrust(worker, link, absl::StrCat("it sent what is no frame: ", frame.status().message()),
               now);
      return;
    }
    if (std::holds_alternative<FrameSocket::Empty>(*frame)) return;
    link.Heard(now);
    if (const auto* result = std::get_if<ResultFrame>(&*frame)) {
      HandleResult(worker, link, *result, now);
    } else if (const auto* state = std::get_if<StateFrame>(&*frame)) {
      HandleState(worker, link, *state, now);
    } else if (const auto* check = std::get_if<CheckFrame>(&*frame)) {
      if (check->header.incarnation == link.incarnation()) checks_.Take(worker, *check, &link);
    } else {
      Distrust(worker, link, "it sent a frame that only the daemon sends", now);
    }
  }
}

void EngineLoop::HandleResult(WorkerId worker, WorkerLink& link, const ResultFrame& frame,
                              TimePoint now) {
  if (frame.header.incarnation != link.incarnation()) return;
  std::array<uint8_t, kMaxBatchRows> exits{};
  std::array<uint8_t, kMaxBatchRows> failed{};
  std::array<uint8_t, kMaxBatchRows> differs{};
  for (size_t row = 0; row < frame.rows; ++row) {
    exits[row] = frame.status[row] == RowStatus::kExit;
    failed[row] = frame.status[row] == RowStatus::kFailed;
    differs[row] = frame.status[row] == RowStatus::kDiffers;
  }
  const BatchResult result{
      .sequence = frame.sequence,
      .scores = std::span(frame.scores).first(frame.rows),
      .exits = std::span(exits).first(frame.rows),
      .failed = std::span(failed).first(frame.rows),
      .differs = std::span(differs).first(frame.rows),
      .message = std::string_view(frame.message.data()),
      .execute_time = std::chrono::nanoseconds(frame.execute_ns),
  };
  if (!scheduler_.BatchDone(worker, result, now)) {
    Distrust(worker, link,
             absl::StrCat("it answered ", frame.rows, " rows of batch ", frame.sequence,
                          ", which it was not asked"),
             now);
  }
}

void EngineLoop::HandleState(WorkerId worker, WorkerLink& link, const StateFrame& frame,
                             TimePoint now) {
  if (frame.header.incarnation != link.incarnation()) return;
  const bool was_ready = link.reported().state == WorkerState::kReady;
  const bool became_ready = frame.state == WorkerState::kReady && !was_ready;
  link.Reported(frame);
  if (frame.state == WorkerState::kLoading || frame.state == WorkerState::kWarming ||
      frame.state == WorkerState::kCapturing) {
    spdlog::info("worker preparing model={} worker={} pid={} state={} done={} total={}",
                 environment_.cascade->name, worker, link.process().pid(), Name(frame.state),
                 frame.done, frame.total);
  }
  if (frame.state == WorkerState::kFailed) {
    spdlog::log(
        FailsAgain(worker, frame.message.data()) ? spdlog::level::debug : spdlog::level::err,
        "worker failed model={} worker={} pid={} reason=\"{}\"", environment_.cascade->name, worker,
        link.process().pid(), frame.message.data());
  }
  // One that never was ready may have failed at reaching the device; and the word of one that is
  // being ended is not about the device.
  if (frame.state == WorkerState::kFailed && frame.device_fault != 0 && was_ready &&
      !link.expected_to_end() && environment_.options->host->SharesFaults(link.role())) {
    const int device = link.role().device;
    if (ExpelFrom(device, now) && on_device_fault_) on_device_fault_(device);
  }
  if (became_ready) {
    std::vector<float> thresholds;
    for (int stage = 0; stage < environment_.cascade->stage_count(); ++stage) {
      thresholds.push_back(scheduler_.threshold(stage));
    }
    checks_.Review(link, thresholds);
    for (const BucketCheck& check : link.checks()) {
      if (check.verdict == Verdict::kUnknown) scheduler_.ExemptFromVerification(check.stage);
    }
  }
  if (became_ready && !link.expelled()) HandleReady(worker, link);
}

// Whether its last start failed for that reason already: the log tells changes.
bool EngineLoop::FailsAgain(WorkerId worker, const std::string& reason) const {
  const Fleet::Member* const member = fleet_.Find(worker);
  return member != nullptr && member->failed_starts > 0 && member->last_end.ends_with(reason);
}

// It serves once its share of the device is known to be what was planned.
void EngineLoop::HandleReady(WorkerId worker, const WorkerLink& link) {
  environment_.options->host->Verify(
      link.process(), link.role(), static_cast<int>(link.reported().multiprocessors),
      [this, mailbox = std::weak_ptr(environment_.mailbox), worker,
       incarnation = link.incarnation()](const absl::Status& status) {
        if (const std::shared_ptr<Mailbox> open = mailbox.lock()) {
          open->Post(
              [this, worker, incarnation, status] { Verified(worker, incarnation, status); });
        }
      });
}

void EngineLoop::Verified(WorkerId worker, uint32_t incarnation, const absl::Status& status) {
  WorkerLink* const link = links_.Find(worker);
  if (link == nullptr || link->incarnation() != incarnation || link->expelled()) return;
  const TimePoint now = Clock::now();
  if (!status.ok()) return Distrust(worker, *link, std::string(status.message()), now);
  spdlog::info("worker ready model={} worker={} pid={}", environment_.cascade->name, worker,
               link->process().pid());
  fleet_.Ready(worker, incarnation, now);
  const Fleet::Member* member = fleet_.Find(worker);
  if (member == nullptr || member->state != FleetState::kReady) return;
  answer_records_.Started(worker);
  const bool shares_faults = environment_.options->host->SharesFaults(member->role);
  scheduler_.WorkerReady(worker, member->role.stages, member->role.credits, now,
                         shares_faults ? member->role.device : kNoFaultDomain);
}

void EngineLoop::DeviceFaulted(int device) { ExpelFrom(device, Clock::now()); }

bool EngineLoop::ExpelFrom(int device, TimePoint now) {
  const std::vector<WorkerId> expelled = links_.Expel(device, now);
  for (const WorkerId worker : expelled) scheduler_.WorkerDraining(worker, now);
  if (expelled.empty()) return false;
  spdlog::error("device in error, its workers are replaced model={} device={} workers={}",
                environment_.cascade->name, device, expelled.size());
  return true;
}

void EngineLoop::HandleEnd(WorkerId worker, TimePoint now) {
  WorkerLink& link = *links_.Find(worker);
  const std::optional<ProcessExit> exit = link.process().Reap();
  if (!exit.has_value()) return;
  const std::string how = link.DescribeEnd(*exit);
  const WorkerEnd end = link.EndOf(*exit);
  const uint32_t incarnation = link.incarnation();
  if (!link.expected_to_end()) {
    ++worker_restarts_;
    spdlog::log(FailsAgain(worker, how) ? spdlog::level::debug : spdlog::level::warn,
                "worker ended model={} worker={} pid={} how=\"{}\"", environment_.cascade->name,
                worker, link.process().pid(), how);
  }
  if (checks_.Ended(worker, link)) answer_records_.Doubt(link.role());
  const bool unservable = !exit->by_signal && exit->value == kUnservableExitStatus;
  const std::string said = link.reported().message.data();
  links_.Remove(worker);
  scheduler_.WorkerGone(worker, end, now);
  fleet_.Exited(worker, incarnation, how, now);
  starts_.Release();
  if (unservable && !was_ready_ && on_unservable_) on_unservable_(said);
}

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
  last_status_ = Status();
  stopping_ = true;
  environment_.mailbox->Close();
  const TimePoint now = Clock::now();
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
  on_device_fault_ = std::move(callback);
}

void EngineLoop::OnUnservable(std::function<void(std::string)> callback) {
  on_unservable_ = std::move(callback);
}

void EngineLoop::PublishReady() {
  Readiness::State state = stopping_ ? Readiness::State{.reason = "the server is shutting down"}
                                     : ReadinessOf(*environment_.cascade, scheduler_, fleet_);
  const bool was_ready = readiness_.ready();
  if (!readiness_.Publish(std::move(state))) return;
  const bool now_ready = readiness_.ready();
  was_ready_ = was_ready_ || now_ready;
  if (now_ready != was_ready) {
    spdlog::info("model {} model={}", now_ready ? "ready" : "not ready",
                 environment_.cascade->name);
  }
  if (on_ready_change_) on_ready_change_(now_ready);
}

EngineStatus EngineLoop::Status() const {
  return {.stages = StagesStatus(changer_.plan(), scheduler_, fleet_, audits_),
          .workers = WorkersStatus(fleet_, links_, checks_.of_ended()),
          .answers = answer_records_.all(),
          .doubtful_shares = answer_records_.doubtful_shares(),
          .plan = changer_.plan(),
          .slots = environment_.slots->slots(),
          .slots_in_use = environment_.slots->in_use(),
          .requests = scheduler_.requests(),
          .worker_restarts = worker_restarts_,
          .plan_changes = changer_.changes(),
          .plan_change_in_progress = changer_.in_progress(),
          .brown_out = scheduler_.brown_out().level(),
          .brown_out_steps = scheduler_.brown_out().steps(),
          .ready = readiness_.ready()};
}

}  // namespace escan
