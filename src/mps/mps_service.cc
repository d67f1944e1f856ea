#include "mps/mps_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "supervision/pidfd.h"

namespace escan {
namespace {

constexpr int kFailuresToBeDown = 2;    // one may be a machine that was busy for a moment
constexpr int kFailuresToBeKilled = 4;  // of our own daemon
constexpr Duration kProbePeriod = std::chrono::milliseconds(50);  // while it starts
constexpr Duration kLongestDelay = std::chrono::seconds(30);      // between two starts

}  // namespace

MpsService::MpsService(MpsControl control, std::unique_ptr<MpsDaemon> own, MpsTimes times)
    : control_(std::move(control)), own_(std::move(own)), times_(times) {}

absl::Status MpsService::Start() {
  Tend(Clock::now());
  while (state_ == State::kStarting) {
    AwaitEnd(end_fd(), due_);
    Tend(Clock::now());
  }
  if (state_ == State::kUp) return absl::OkStatus();
  std::string message = absl::StrCat("mps: ", reason_);
  if (own_ == nullptr) {
    absl::StrAppend(&message, "; no control daemon answers in ", directories().pipe.string(),
                    ", which `mps: {mode: external}` expects");
  }
  return absl::UnavailableError(absl::StrCat(message, "; `mps: {mode: off}` does without one"));
}

absl::Status MpsService::availability() const {
  if (state_ == State::kUp && failures_ < kFailuresToBeDown) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("mps: ", reason_));
}

bool MpsService::Tend(TimePoint now) {
  if (own_ != nullptr) {
    if (const std::optional<std::string> end = own_->TakeEnd()) {
      const std::string reason = absl::StrCat("the control daemon ended: ", *end);
      GoDown(killed_for_.empty() ? reason : std::exchange(killed_for_, {}), now + NextDelay());
      return false;
    }
  }
  if (now < due_) return false;
  switch (state_) {
    case State::kStarting:
      return ProbeStarting(now);
    case State::kUp:
      ProbeRunning(now);
      return false;
    case State::kDown:
      if (own_ == nullptr) return ProbeExternal(now);
      StartOwn(now);
      return false;
  }
  return false;
}

absl::StatusOr<std::vector<MpsService::Client>> MpsService::ListClients() {
  absl::Status status = ListServers();
  std::vector<Client> clients;
  for (const pid_t server : servers_) {
    if (!status.ok()) break;
    const absl::StatusOr<std::vector<pid_t>> pids = control_.Clients(server);
    status = pids.status();
    if (!pids.ok()) break;
    for (const pid_t pid : *pids) clients.push_back({.server = server, .pid = pid});
  }
  if (status.ok()) return clients;
  Fail(status);
  return status;
}

absl::Status MpsService::Terminate(const Client& client) {
  const absl::Status status = control_.TerminateClient(client.server, client.pid, times_.terminate);
  if (absl::IsDeadlineExceeded(status)) Fail(status);
  return status;
}

void MpsService::EndStaleServers() {
  if (own_ != nullptr) own_->EndStaleServers();
}

absl::Status MpsService::ListServers() {
  absl::StatusOr<std::vector<pid_t>> servers = control_.Servers();
  if (!servers.ok()) return servers.status();
  servers_ = *std::move(servers);
  if (own_ != nullptr) own_->Remember(servers_);
  return absl::OkStatus();
}

// Only while it is up: the next look is soon, and says more. It is later than the command, which
// took its time and may have left the daemon busy for a moment.
void MpsService::Fail(const absl::Status& status) {
  ++failures_;
  reason_ = std::string(status.message());
  due_ = Clock::now() + times_.recheck;
  spdlog::warn("mps does not answer failures={} reason=\"{}\"", failures_, reason_);
}

void MpsService::GoDown(std::string reason, TimePoint due) {
  spdlog::error("mps down reason=\"{}\"", reason);
  state_ = State::kDown;
  reason_ = std::move(reason);
  due_ = due;
  servers_.clear();
}

void MpsService::StartOwn(TimePoint now) {
  const absl::Status status = own_->Spawn();
  if (!status.ok()) return GoDown(std::string(status.message()), now + NextDelay());
  state_ = State::kStarting;
  start_deadline_ = now + times_.start;
  due_ = now;
}

// Its end is noticed by Tend().
void MpsService::Kill(std::string reason) {
  killed_for_ = std::move(reason);
  due_ = TimePoint::max();
  own_->Kill();
}

bool MpsService::ProbeStarting(TimePoint now) {
  const absl::Status status = ListServers();
  if (status.ok()) return ComeUp(now);
  due_ = now + kProbePeriod;
  if (now >= start_deadline_) {
    Kill(absl::StrCat("the control daemon was started, but: ", std::string(status.message())));
  }
  return false;
}

bool MpsService::ProbeExternal(TimePoint now) {
  const absl::Status status = ListServers();
  if (status.ok()) return ComeUp(now);
  reason_ = std::string(status.message());
  due_ = now + times_.recheck;
  return false;
}

void MpsService::ProbeRunning(TimePoint now) {
  const absl::Status status = ListServers();
  if (status.ok()) {
    if (failures_ > 0) spdlog::info("mps answers again");
    failures_ = 0;
    attempts_ = 0;
    due_ = now + times_.check;
    return;
  }
  Fail(status);
  if (own_ != nullptr) {
    if (failures_ >= kFailuresToBeKilled) Kill(reason_);
  } else if (failures_ >= kFailuresToBeDown) {
    GoDown(reason_, now + times_.recheck);
  }
}

bool MpsService::ComeUp(TimePoint now) {
  const bool back = std::exchange(was_up_, true);
  if (back) ++restarts_;
  state_ = State::kUp;
  failures_ = 0;
  due_ = now + times_.check;
  spdlog::info("mps up pipe_directory={} restarts={}", directories().pipe.string(), restarts_);
  return back;
}

// None before the first start, then doubling.
Duration MpsService::NextDelay() {
  const int doublings = attempts_++ - 1;
  if (doublings < 0) return Duration::zero();
  return std::min(kLongestDelay, times_.restart * (1 << std::min(doublings, 10)));
}

}  // namespace escan
