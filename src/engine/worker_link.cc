#include "engine/worker_link.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {

WorkerLink::WorkerLink(WorkerProcess process, uint32_t incarnation, CpuShare share)
    : process_(std::move(process)), incarnation_(incarnation), share_(std::move(share)) {}

void WorkerLink::Condemn(std::string reason) {
  if (condemned()) return;
  condemned_ = std::move(reason);
  process_.Kill();
}

void WorkerLink::Stop() {
  stop_asked_ = true;
  // A peer that is gone needs no word.
  (void)process_.socket().Send(
      StopFrame{.header = {.type = FrameType::kStop, .incarnation = incarnation_}});
}

void WorkerLink::Retire() {
  stop_asked_ = true;
  process_.Kill();
}

void WorkerLink::SocketClosed(TimePoint now) {
  socket_closed_ = true;
  deadline_ = now + kHeartbeatTimeout;
}

std::string WorkerLink::overdue_reason() const {
  return socket_closed_ ? "it closed its socket and did not end" : "it was silent for too long";
}

WorkerEnd WorkerLink::EndOf(const WorkerExit& exit) const {
  if (condemned()) return WorkerEnd::kSuspect;
  if (stop_asked_) return WorkerEnd::kBlameless;
  return oom_kills_.KilledFromOutside(exit) ? WorkerEnd::kBlameless : WorkerEnd::kSuspect;
}

std::string WorkerLink::DescribeEnd(const WorkerExit& exit) const {
  if (condemned()) return absl::StrCat("ended by the daemon because ", condemned_);
  if (reported_.state == WorkerState::kFailed) {
    return absl::StrCat(exit.ToString(), ": ", reported_.message.data());
  }
  return exit.ToString();
}

}  // namespace escan
