#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "escan/time.h"
#include "mps/mps_control.h"
#include "mps/mps_daemon.h"
#include "mps/mps_times.h"

namespace escan {

// The MPS control daemon that workers join: whether it answers, its clients, and, where it is this
// server's own, its life. Used by one thread. A call blocks for one or two runs of the control
// program, each bounded by MpsTimes::command; Start() and the destructor for longer.
class MpsService {
 public:
  // `own` is null for a daemon that somebody else runs: it is never started or stopped.
  MpsService(MpsControl control, std::unique_ptr<MpsDaemon> own, MpsTimes times);

  // Starts the daemon if it is our own, and waits until it answers. An error is for people.
  absl::Status Start();
  // Does what is due at `now`: to be called then, and when end_fd() becomes readable. True when a
  // daemon answers for the first time after one was down: it knows none of that one's clients.
  bool Tend(TimePoint now);
  TimePoint due() const { return due_; }
  int end_fd() const { return own_ != nullptr ? own_->pidfd() : -1; }

  // Whether workers can join; Unavailable with the reason.
  absl::Status availability() const;
  // Whether the last command was answered in time: another one is worth waiting for.
  bool answers() const { return state_ == State::kUp && failures_ == 0; }
  const MpsControl::Directories& directories() const { return control_.directories(); }
  const std::vector<pid_t>& servers() const { return servers_; }  // as last listed
  int restarts() const { return restarts_; }                      // how often it came back

  // The clients of all servers, each with its server. Errors are those of MpsControl.
  struct Client {
    pid_t server = 0;
    pid_t pid = 0;
  };
  absl::StatusOr<std::vector<Client>> ListClients();
  absl::Status Terminate(const Client& client);

  // See MpsDaemon.
  void EndStaleServers();

 private:
  enum class State { kDown, kStarting, kUp };

  absl::Status ListServers();
  void Fail(const absl::Status& status);
  void GoDown(std::string reason, TimePoint due);
  void StartOwn(TimePoint now);
  void Kill(std::string reason);
  bool ProbeStarting(TimePoint now);
  bool ProbeExternal(TimePoint now);
  void ProbeRunning(TimePoint now);
  bool ComeUp(TimePoint now);
  Duration NextDelay();

  const MpsControl control_;
  const std::unique_ptr<MpsDaemon> own_;
  const MpsTimes times_;

  State state_ = State::kDown;
  std::string reason_ = "the control daemon is starting";
  std::string killed_for_;  // why our own daemon is being ended; empty: it is not
  int failures_ = 0;        // commands in a row without an answer, while kUp
  int attempts_ = 0;        // starts since it last proved healthy
  int restarts_ = 0;
  bool was_up_ = false;
  TimePoint due_ = TimePoint::min();
  TimePoint start_deadline_{};
  std::vector<pid_t> servers_;
};

}  // namespace escan
