#include "engine/worker_supervisor.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"
#include "supervision/worker_exit.h"

namespace escan {
namespace {

// More than a socket can hold: of a process that has ended, everything.
constexpr int kLastFrames = 4096;

}  // namespace

void WorkerSupervisor::HandleReadable(WorkerId worker, TimePoint now) {
  // Without a link its end was handled before in this round.
  if (WorkerLink* const link = parts_.links->Find(worker)) {
    ReadFrames(worker, *link, kFramesAtATime, now);
  }
}

void WorkerSupervisor::ReadFrames(WorkerId worker, WorkerLink& link, int most, TimePoint now) {
  for (int i = 0; i < most && link.readable(); ++i) {
    const absl::StatusOr<FrameSocket::Frame> frame = link.process().socket().Receive(false);
    if (absl::IsUnavailable(frame.status())) {
      parts_.links->SocketClosed(link, now);
      parts_.scheduler->WorkerDraining(worker, now);
    } else if (!frame.ok()) {
      Distrust(worker, link, absl::StrCat("it sent what is no frame: ", frame.status().message()),
               now);
    } else if (std::holds_alternative<FrameSocket::Empty>(*frame)) {
      return;
    } else {
      link.Heard(now);
      HandleFrame(worker, link, *frame, now);
    }
  }
}

void WorkerSupervisor::HandleFrame(WorkerId worker, WorkerLink& link,
                                   const FrameSocket::Frame& frame, TimePoint now) {
  if (const auto* result = std::get_if<ResultFrame>(&frame)) {
    HandleResult(worker, link, *result, now);
  } else if (const auto* state = std::get_if<StateFrame>(&frame)) {
    HandleState(worker, link, *state, now);
  } else if (const auto* check = std::get_if<CheckFrame>(&frame)) {
    if (check->header.incarnation == link.incarnation()) parts_.checks->Take(worker, *check, &link);
  } else {
    Distrust(worker, link, "it sent a frame that only the daemon sends", now);
  }
}

void WorkerSupervisor::HandleResult(WorkerId worker, WorkerLink& link, const ResultFrame& frame,
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
  if (!parts_.scheduler->BatchDone(worker, result, now)) {
    Distrust(worker, link,
             absl::StrCat("it answered ", frame.rows, " rows of batch ", frame.sequence,
                          ", which it was not asked"),
             now);
  }
}

void WorkerSupervisor::LogState(WorkerId worker, const WorkerLink& link,
                                const StateFrame& frame) const {
  const std::string& model = parts_.cascade->name;
  if (frame.state == WorkerState::kLoading || frame.state == WorkerState::kWarming ||
      frame.state == WorkerState::kCapturing) {
    spdlog::info("worker preparing model={} worker={} pid={} state={} done={} total={}", model,
                 worker, link.process().pid(), Name(frame.state), frame.done, frame.total);
  }
  if (frame.state == WorkerState::kFailed) {
    spdlog::log(
        FailsAgain(worker, frame.message.data()) ? spdlog::level::debug : spdlog::level::err,
        "worker failed model={} worker={} pid={} reason=\"{}\"", model, worker,
        link.process().pid(), frame.message.data());
  }
}

void WorkerSupervisor::HandleState(WorkerId worker, WorkerLink& link, const StateFrame& frame,
                                   TimePoint now) {
  if (frame.header.incarnation != link.incarnation()) return;
  const bool was_ready = link.reported().state == WorkerState::kReady;
  link.Reported(frame);
  LogState(worker, link, frame);
  // One that never was ready may have failed at reaching the device; and the word of one that is
  // being ended is not about the device.
  if (frame.state == WorkerState::kFailed && frame.device_fault != 0 && was_ready &&
      !link.expected_to_end() && parts_.options->host->SharesFaults(link.role())) {
    const int device = link.role().device;
    if (ExpelFrom(device, now) && on_device_fault_) on_device_fault_(device);
  }
  if (frame.state != WorkerState::kReady || was_ready) return;
  std::vector<float> thresholds;
  for (int stage = 0; stage < parts_.cascade->stage_count(); ++stage) {
    thresholds.push_back(parts_.scheduler->threshold(stage));
  }
  parts_.checks->Review(link, thresholds);
  for (const BucketCheck& check : link.checks()) {
    if (check.verdict == Verdict::kUnknown) parts_.scheduler->ExemptFromVerification(check.stage);
  }
  if (!link.expelled()) HandleReady(worker, link);
}

bool WorkerSupervisor::FailsAgain(WorkerId worker, const std::string& reason) const {
  const Fleet::Member* const member = parts_.fleet->Find(worker);
  return member != nullptr && member->failed_starts > 0 && member->last_end.ends_with(reason);
}

// It serves once its share of the device is known to be what was planned.
void WorkerSupervisor::HandleReady(WorkerId worker, const WorkerLink& link) {
  parts_.options->host->Verify(link.process(), link.role(),
                               static_cast<int>(link.reported().multiprocessors),
                               [this, mailbox = std::weak_ptr(parts_.mailbox), worker,
                                incarnation = link.incarnation()](const absl::Status& status) {
                                 if (const std::shared_ptr<Mailbox> open = mailbox.lock()) {
                                   open->Post([this, worker, incarnation, status] {
                                     Verified(worker, incarnation, status);
                                   });
                                 }
                               });
}

void WorkerSupervisor::Verified(WorkerId worker, uint32_t incarnation, const absl::Status& status) {
  WorkerLink* const link = parts_.links->Find(worker);
  if (link == nullptr || link->incarnation() != incarnation || link->expelled() || link->ended()) {
    return;
  }
  const TimePoint now = Clock::now();
  if (!status.ok()) return Distrust(worker, *link, std::string(status.message()), now);
  spdlog::info("worker ready model={} worker={} pid={}", parts_.cascade->name, worker,
               link->process().pid());
  parts_.fleet->Ready(worker, incarnation, now);
  parts_.starts->Release();
  const Fleet::Member* member = parts_.fleet->Find(worker);
  if (member == nullptr || member->state != FleetState::kReady) return;
  parts_.records->Started(worker);
  const bool shares_faults = parts_.options->host->SharesFaults(member->role);
  parts_.scheduler->WorkerReady(worker, member->role.stages, member->role.credits, now,
                                shares_faults ? member->role.device : kNoFaultDomain);
}

// --- those that are not believed any more

void WorkerSupervisor::Distrust(WorkerId worker, WorkerLink& link, const std::string& reason,
                                TimePoint now, WorkerEnd end) {
  parts_.links->Condemn(link, reason, end);
  parts_.scheduler->WorkerDraining(worker, now);
}

bool WorkerSupervisor::ExpelFrom(int device, TimePoint now) {
  const std::vector<WorkerId> expelled = parts_.links->Expel(device, now);
  for (const WorkerId worker : expelled) parts_.scheduler->WorkerDraining(worker, now);
  if (expelled.empty()) return false;
  spdlog::error("device in error, its workers are replaced model={} device={} workers={}",
                parts_.cascade->name, device, expelled.size());
  return true;
}

TimePoint WorkerSupervisor::NextCheck() const {
  TimePoint next = TimePoint::max();
  for (const auto& [worker, link] : parts_.links->all()) {
    if (link->condemned() || link->ended()) continue;
    next = std::min({next, HangDeadline(worker, *link), link->deadline()});
  }
  return next;
}

void WorkerSupervisor::CheckWorkers(TimePoint before) {
  for (const auto& [worker, link] : parts_.links->all()) {
    if (link->condemned() || link->ended()) continue;
    if (before >= HangDeadline(worker, *link)) {
      Distrust(worker, *link, "it did not answer a batch in time", before);
    } else if (before >= link->deadline()) {
      Distrust(worker, *link, link->overdue_reason(), before);
    }
  }
}

TimePoint WorkerSupervisor::HangDeadline(WorkerId worker, const WorkerLink& link) const {
  const bool disturbed =
      parts_.options->host->preparations().Disturb(link.role().device, Clock::now());
  return parts_.scheduler->HangDeadline(worker, disturbed);
}

// --- ends

void WorkerSupervisor::HandleEnd(WorkerId worker, TimePoint now) {
  WorkerLink* const link = parts_.links->Find(worker);
  if (link == nullptr) return;
  const std::optional<ProcessExit> exit = link->process().Reap();
  if (!exit.has_value()) return;
  ReadFrames(worker, *link, kLastFrames, now);
  parts_.links->Ended(*link, *exit);
  parts_.scheduler->WorkerDraining(worker, now);
  if (!link->may_be_killed_from_outside()) return Bury(worker, link->incarnation(), false);
  parts_.side->Post([this, worker, incarnation = link->incarnation(), exit = *exit,
                     oom_kills = link->oom_kills()]() -> SideThread::Rest {
    const bool from_outside = oom_kills.KilledFromOutside(exit);
    return [this, worker, incarnation, from_outside] { Bury(worker, incarnation, from_outside); };
  });
}

void WorkerSupervisor::Bury(WorkerId worker, uint32_t incarnation, bool killed_from_outside) {
  const TimePoint now = Clock::now();
  WorkerLink& link = *parts_.links->Find(worker);
  const std::string how = link.DescribeEnd();
  const WorkerEnd end = link.End(killed_from_outside);
  if (!link.expected_to_end()) {
    ++restarts_;
    spdlog::log(FailsAgain(worker, how) ? spdlog::level::debug : spdlog::level::warn,
                "worker ended model={} worker={} pid={} how=\"{}\"", parts_.cascade->name, worker,
                link.process().pid(), how);
  }
  if (parts_.checks->HandleEnd(worker, link)) parts_.records->Doubt(link.role());
  const bool unservable = !link.exit().by_signal && link.exit().value == kUnservableExitStatus;
  const std::string said = link.reported().message.data();
  parts_.links->Remove(worker);
  parts_.scheduler->WorkerGone(worker, end, now);
  parts_.fleet->Exited(worker, incarnation, how, now);
  parts_.starts->Release();
  if (unservable && on_unservable_) on_unservable_(said);
}

void WorkerSupervisor::OnDeviceFault(std::function<void(int)> callback) {
  on_device_fault_ = std::move(callback);
}

void WorkerSupervisor::OnUnservable(std::function<void(std::string)> callback) {
  on_unservable_ = std::move(callback);
}

}  // namespace escan
