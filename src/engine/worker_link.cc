#include "engine/worker_link.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {

WorkerLink::WorkerLink(WorkerHost* host, LaunchedWorker launched, const WorkerOrder& order)
    : host_(host),
      process_(std::move(launched.process)),
      incarnation_(order.incarnation),
      role_(order.role),
      share_(order.share),
      oom_kills_(std::move(launched.oom_kills)),
      preparation_(std::in_place, &host->preparations(), order.role.device) {}

void WorkerLink::Condemn(std::string reason, WorkerEnd end) {
  if (condemned() || ended()) return;
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

bool WorkerLink::may_be_killed_from_outside() const {
  return !expelled_ && !condemned() && !stop_asked_ && exit_->by_signal;
}

WorkerEnd WorkerLink::End(bool killed_from_outside) const {
  if (expelled_) return WorkerEnd::kSuspect;
  if (condemned()) return condemned_end_;
  return stop_asked_ || killed_from_outside ? WorkerEnd::kBlameless : WorkerEnd::kSuspect;
}

std::string WorkerLink::DescribeEnd() const {
  if (condemned()) return absl::StrCat("ended by the daemon because ", condemned_);
  if (reported_.state == WorkerState::kFailed) {
    return absl::StrCat(exit_->ToString(), ": ", reported_.message.data());
  }
  return exit_->ToString();
}

}  // namespace escan
