#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/worker_launcher.h"
#include "ipc/frames.h"
#include "scheduling/scheduler.h"
#include "supervision/cpu_share.h"
#include "supervision/oom_kill_counter.h"
#include "supervision/worker_host.h"
#include "supervision/worker_process.h"

namespace escan {

// The engine's side of one running worker process: what it last said, and whether it is believed.
// Used by the engine's thread only.
class WorkerLink {
 public:
  // `host` outlives the link.
  WorkerLink(WorkerHost* host, LaunchedWorker launched, const WorkerOrder& order);

  uint32_t incarnation() const { return incarnation_; }
  const WorkerGroup& role() const { return role_; }
  const CpuShare& cpu_share() const { return share_; }
  WorkerProcess& process() { return process_; }
  const WorkerProcess& process() const { return process_; }
  const StateFrame& reported() const { return reported_; }

  void Heard(TimePoint now) {
    if (!expelled_) deadline_ = now + kHeartbeatTimeout;
  }
  void Reported(const StateFrame& frame) {
    reported_ = frame;
    if (frame.state == WorkerState::kReady) preparation_.reset();
  }
  void Checked(BucketCheck check) { checks_.push_back(std::move(check)); }
  // One for each bucket of each stage, once it is ready or has failed.
  const std::vector<BucketCheck>& checks() const { return checks_; }

  // Ends the process because it cannot be trusted any more; the first reason stays. `end`: what is
  // to be believed of the rows that it holds.
  void Condemn(std::string reason, WorkerEnd end = WorkerEnd::kSuspect);
  bool condemned() const { return !condemned_.empty(); }
  // Asks the process, which holds no batch, to end.
  void Stop();
  // Ends the process because it is not wanted any more.
  void Retire();
  bool expected_to_end() const { return stop_asked_; }
  // Asks the process to end because its device is in error, and with it perhaps what it holds. One
  // that does not end is condemned after a while; one that is not ready yet is ended at once.
  void Expel(TimePoint now);
  bool expelled() const { return expelled_; }

  // The process closed its socket: it is ending, or else is condemned after a while.
  void SocketClosed(TimePoint now);
  // Its frames are still read.
  bool readable() const { return !socket_closed_ && !condemned() && !ended(); }

  // When silence, or a closed socket without an end, becomes a reason to condemn it. Never before
  // its first word: how long a start may take is the fleet's to say.
  TimePoint deadline() const { return deadline_; }
  std::string overdue_reason() const;

  // The process is gone: nothing more is heard of it, and it can be ended no more.
  void Ended(const ProcessExit& exit) {
    exit_ = exit;
    preparation_.reset();
  }
  bool ended() const { return exit_.has_value(); }
  // --- of one that has ended
  const ProcessExit& exit() const { return *exit_; }
  // How it ended does not say who is to blame: see OomKillCounter.
  bool may_be_killed_from_outside() const;
  const OomKillCounter& oom_kills() const { return oom_kills_; }
  // What is to be believed of the rows that it held. `killed_from_outside` is the counter's word,
  // and counts only for one that may be.
  WorkerEnd End(bool killed_from_outside) const;
  std::string DescribeEnd() const;

 private:
  void SendStop();

  WorkerHost* host_;
  WorkerProcess process_;
  uint32_t incarnation_;
  WorkerGroup role_;
  CpuShare share_;
  TimePoint deadline_ = TimePoint::max();
  StateFrame reported_;
  std::vector<BucketCheck> checks_;
  std::string condemned_;
  WorkerEnd condemned_end_ = WorkerEnd::kSuspect;
  bool stop_asked_ = false;
  bool socket_closed_ = false;
  bool expelled_ = false;
  OomKillCounter oom_kills_;
  std::optional<Preparations::Entry> preparation_;  // until it is ready
  std::optional<ProcessExit> exit_;
};

}  // namespace escan
