#include "engine/worker_link.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {

WorkerLink::WorkerLink(WorkerHost* host, WorkerProcess process, uint32_t incarnation,
                       WorkerGroup role, CpuShare share)
    : host_(host),
      process_(std::move(process)),
      incarnation_(incarnation),
      role_(std::move(role)),
      share_(std::move(share)) {}

void WorkerLink::Condemn(std::string reason, WorkerEnd end) {
  if (condemned()) return;
  condemned_ = std::move(reason);
  condemned_end_ = end;
  host_->Kill(process_, role_);
}

void WorkerLink::Stop() {
  stop_asked_ = true;
  SendStop();
}

void WorkerLink::SendStop() {
  // A peer that is gone needs no word.
  (void)process_.socket().Send(
      StopFrame{.header = {.type = FrameType::kStop, .incarnation = incarnation_}});
}

void WorkerLink::Retire() {
  stop_asked_ = true;
  host_->Kill(process_, role_);
}

void WorkerLink::Expel(TimePoint now) {
  expelled_ = true;
  deadline_ = now + kHeartbeatTimeout;
  // Before it is ready it holds no row and reads no word.
  if (reported_.state == WorkerState::kReady) return SendStop();
  host_->Kill(process_, role_);
}

void WorkerLink::SocketClosed(TimePoint now) {
  socket_closed_ = true;
  if (!expelled_) deadline_ = now + kHeartbeatTimeout;
}

std::string WorkerLink::overdue_reason() const {
  if (expelled_) return "it did not end although its device is in error";
  return socket_closed_ ? "it closed its socket and did not end" : "it was silent for too long";
}

WorkerEnd WorkerLink::EndOf(const ProcessExit& exit) const {
  if (expelled_) return WorkerEnd::kSuspect;
  if (condemned()) return condemned_end_;
  if (stop_asked_) return WorkerEnd::kBlameless;
  return oom_kills_.KilledFromOutside(exit) ? WorkerEnd::kBlameless : WorkerEnd::kSuspect;
}

std::string WorkerLink::DescribeEnd(const ProcessExit& exit) const {
  if (condemned()) return absl::StrCat("ended by the daemon because ", condemned_);
  if (reported_.state == WorkerState::kFailed) {
    return absl::StrCat(exit.ToString(), ": ", reported_.message.data());
  }
  return exit.ToString();
}

}  // namespace escan
