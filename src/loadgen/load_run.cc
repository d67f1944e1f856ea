#include "loadgen/load_run.h"

#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <utility>

namespace escan::loadgen {
namespace {

Duration ProcessCpuTime() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

LoadRun::LoadRun(const RowChunks& chunks, const LoadLimits& limits, const Pace& pace,
                 const Expectations& expected, Transport* transport, const ExitSchedule& exits)
    : pace_(pace),
      miss_limit_(limits.misses),
      expected_(expected),
      transport_(transport),
      workload_(chunks, limits, exits) {
  if (const auto* open = std::get_if<OpenLoop>(&pace_)) {
    schedule_.emplace(open->arrivals, open->rate, open->seed);
  }
  for (int i = 0; i < transport->lanes(); ++i) lanes_.push_back(std::make_unique<Lane>());
  transport->SetListener(this);
}

LoadRun::~LoadRun() { JoinSenders(); }

void LoadRun::Start() {
  start_ = Clock::now();
  if (const auto* open = std::get_if<OpenLoop>(&pace_)) {
    active_ = transport_->lanes();
    for (int i = 0; i < transport_->lanes(); ++i) {
      Sender* sender = senders_.emplace_back(std::make_unique<Sender>()).get();
      sender->thread = std::thread([this, open, sender] { SendOnSchedule(*open, sender); });
    }
    return;
  }
  const int concurrency = std::get<ClosedLoop>(pace_).concurrency;
  for (int i = 0; i < concurrency; ++i) {
    if (!SendNext(i % transport_->connections())) break;
  }
  Release();
}

void LoadRun::Stop() {
  workload_.Stop(Clock::now() - start_);
  MutexLock lock(mutex_);
  stopping_ = true;
  changed_.NotifyAll();
}

bool LoadRun::WaitUntil(TimePoint deadline) {
  MutexLock lock(mutex_);
  while (!over_) {
    if (!changed_.WaitUntil(mutex_, deadline)) return over_;
  }
  return true;
}

RunProgress LoadRun::progress() const {
  return {.elapsed = Clock::now() - start_,
          .answered = answered_.load(std::memory_order_relaxed),
          .failed = failed_.load(std::memory_order_relaxed),
          .in_flight = in_flight_.load(std::memory_order_relaxed),
          .not_sent = not_sent_outstanding_.load(std::memory_order_relaxed) +
                      not_sent_late_.load(std::memory_order_relaxed),
          .p99 = histogram_.Percentile(99)};
}

Outcome LoadRun::Finish() {
  JoinSenders();
  Outcome outcome{.tally = {},
                  .not_sent = {.outstanding = not_sent_outstanding_, .late = not_sent_late_},
                  .lateness = {},
                  .schedule_span = workload_.measured_span(),
                  .interrupted = workload_.stopped_early() && !gave_up_,
                  .gave_up = gave_up_};
  for (const std::unique_ptr<Sender>& sender : senders_) {
    outcome.lateness.insert(outcome.lateness.end(), sender->lateness.begin(),
                            sender->lateness.end());
  }
  outcome.elapsed = outcome.schedule_span;
  const std::optional<Duration> measurement_start = workload_.measurement_start();
  if (!measurement_start) return outcome;
  outcome.cpu = ProcessCpuTime() - Duration(cpu_at_start_ns_.load());
  for (const std::unique_ptr<Lane>& lane : lanes_) {
    outcome.elapsed =
        std::max<Duration>(outcome.elapsed, lane->last_answer - (start_ + *measurement_start));
    outcome.tally.Merge(std::move(lane->tally));
  }
  return outcome;
}

void LoadRun::OnAnswer(int lane_index, const OutgoingRequest& request, const absl::Status& status,
                       const AnswerTensors& tensors) {
  const TimePoint now = Clock::now();
  const Duration latency = now - request.due;
  if (request.ticket.measured) {
    Lane& lane = *lanes_[static_cast<size_t>(lane_index)];
    lane.last_answer = now;
    const bool succeeded = status.ok() && lane.tally.AddAnswer(Describe(request, latency), tensors);
    if (!status.ok()) lane.tally.AddError(status);
    if (miss_limit_ && (!succeeded || latency > miss_limit_->latency)) CountMiss();
  }
  answered_.fetch_add(1, std::memory_order_relaxed);
  if (status.ok()) {
    histogram_.Add(latency);
  } else {
    failed_.fetch_add(1, std::memory_order_relaxed);
  }
  in_flight_.fetch_sub(1, std::memory_order_relaxed);
  if (std::holds_alternative<ClosedLoop>(pace_)) SendNext(request.connection);
  Release();
}

AnsweredRequest LoadRun::Describe(const OutgoingRequest& request, Duration latency) const {
  const Ticket& ticket = request.ticket;
  AnsweredRequest answered{.time = {.due = ticket.due, .latency = latency, .rows = ticket.rows},
                           .exit_segment = ticket.exit_segment,
                           .right = expected_.answers,
                           .first_row = ticket.first_row};
  if (!expected_.labels.empty()) {
    answered.labels = expected_.labels.subspan(static_cast<size_t>(ticket.first_row),
                                               static_cast<size_t>(ticket.rows));
  }
  if (expected_.difficulties != nullptr) {
    answered.difficulties =
        expected_.difficulties->Rows(ticket.exit_segment, ticket.request, ticket.rows);
  }
  return answered;
}

void LoadRun::CountMiss() {
  if (misses_.fetch_add(1, std::memory_order_relaxed) + 1 != miss_limit_->misses) return;
  gave_up_ = true;
  Stop();
}

std::optional<Ticket> LoadRun::Take(Duration at) {
  const std::optional<Ticket> ticket = workload_.Take(at);
  if (ticket && ticket->first_measured) cpu_at_start_ns_.store(ProcessCpuTime().count());
  return ticket;
}

bool LoadRun::SendNext(int connection) {
  const TimePoint now = Clock::now();
  const std::optional<Ticket> ticket = Take(now - start_);
  if (!ticket) return false;
  in_flight_.fetch_add(1, std::memory_order_relaxed);
  Send({.ticket = *ticket, .connection = connection, .due = now});
  return true;
}

void LoadRun::Send(const OutgoingRequest& request) {
  active_.fetch_add(1, std::memory_order_relaxed);
  transport_->Send(request);
}

void LoadRun::SendOnSchedule(const OpenLoop& pace, Sender* sender) {
  prctl(PR_SET_TIMERSLACK, 1UL);  // nanoseconds; by default a sleep is 50 us longer than asked for
  while (const std::optional<OutgoingRequest> request = TakeScheduled()) {
    if (!SleepUntil(request->due)) break;
    SendOrRefuse(pace, *request, sender);
  }
  Release();
}

std::optional<OutgoingRequest> LoadRun::TakeScheduled() {
  MutexLock lock(schedule_mutex_);
  const Duration at = schedule_->Next();
  const std::optional<Ticket> ticket = Take(at);
  if (!ticket) return std::nullopt;
  const int connection = next_connection_;
  next_connection_ = (connection + 1) % transport_->connections();
  return OutgoingRequest{.ticket = *ticket, .connection = connection, .due = start_ + at};
}

void LoadRun::SendOrRefuse(const OpenLoop& pace, const OutgoingRequest& request, Sender* sender) {
  const Duration lateness = Clock::now() - request.due;
  const bool measured = request.ticket.measured;
  const bool late = lateness > pace.max_lateness;
  const bool full =
      in_flight_.fetch_add(1, std::memory_order_relaxed) >= pace.max_outstanding && !late;
  if (late || full) {
    in_flight_.fetch_sub(1, std::memory_order_relaxed);
    (late ? not_sent_late_ : not_sent_outstanding_) += measured;
    if (measured && miss_limit_) CountMiss();
    return;
  }
  if (measured) sender->lateness.push_back(lateness);
  Send(request);
}

void LoadRun::JoinSenders() {
  for (const std::unique_ptr<Sender>& sender : senders_) {
    if (sender->thread.joinable()) sender->thread.join();
  }
}

bool LoadRun::SleepUntil(TimePoint due) {
  if (Clock::now() >= due) return true;
  MutexLock lock(mutex_);
  while (!stopping_) {
    if (!changed_.WaitUntil(mutex_, due)) return true;
  }
  return false;
}

void LoadRun::Release() {
  if (active_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  MutexLock lock(mutex_);
  over_ = true;
  changed_.NotifyAll();
}

}  // namespace escan::loadgen
