#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "mps/foreign_process.h"
#include "mps/mps_control.h"
#include "mps/mps_directory.h"
#include "mps/mps_times.h"
#include "supervision/child_process.h"

namespace escan {

// The MPS control daemon that this process runs for itself, in a private folder. Used by one
// thread. The destructor ends it and its servers, in order and within bounds, and removes what it
// made. If this process is killed the daemon lives on; the next Prepare() finds and ends it.
class MpsDaemon {
 public:
  struct Options {
    std::filesystem::path program;    // nvidia-cuda-mps-control
    std::filesystem::path directory;  // see MpsDirectory
    std::vector<std::string> gpus;    // UUIDs
    MpsTimes times;
  };

  // Takes the folder, and ends a daemon and servers that an earlier owner left there, waiting for
  // them. Starts nothing. AlreadyExists when another server uses the folder.
  static absl::StatusOr<std::unique_ptr<MpsDaemon>> Prepare(Options options);
  ~MpsDaemon();

  MpsControl control() const;

  // Starts the daemon; none runs. It answers a moment later.
  absl::Status Spawn();
  // Readable when the daemon has ended; -1 when there is none.
  int pidfd() const { return process_ ? process_->pidfd() : -1; }
  // How it ended and what it said last, once after it did; nullopt while it runs or there is none.
  // The servers that it leaves behind are stale from then on: their clients go on, but nobody can
  // be added or asked to end.
  std::optional<std::string> TakeEnd();
  // SIGKILL, for one that does not answer; TakeEnd() tells of the end.
  void Kill() const;

  // The servers as last listed: those that are found by no other trait are known by this.
  void Remember(const std::vector<pid_t>& servers);
  // Ends the servers of daemons that have ended. For when their clients are gone.
  void EndStaleServers();

 private:
  MpsDaemon(Options options, MpsDirectory directory);
  absl::Status EndLeftover();
  std::vector<ForeignProcess> FindServers();
  std::string Output() const;
  void Stop();

  const Options options_;
  const MpsDirectory directory_;
  std::optional<ChildProcess> process_;
  std::vector<ForeignProcess> servers_;  // of the daemon that runs
  std::vector<ForeignProcess> stale_;
};

}  // namespace escan
