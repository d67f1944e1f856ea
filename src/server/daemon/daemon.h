#pragma once

#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "config/config.h"
#include "ipc/unique_fd.h"
#include "mps/mps_worker_host.h"
#include "server/admin/admin_server.h"
#include "server/deployment/deployment.h"
#include "server/inference/inference_server.h"
#include "server/inference/self_probe.h"
#include "server/inference/server_state.h"
#include "server/metrics/metrics_server.h"
#include "server/rest/rest_server.h"

namespace escan {

// The whole server: an engine per cascade, the addresses, and the way from start to end.
// Used by the main thread. Destroying one that was not drained ends everything at once.
class Daemon {
 public:
  struct Options {
    Config config;
    Profiles profiles{};  // that hold on this machine
    // Reads both again; null: there is no file, and so no reload.
    std::function<absl::StatusOr<Deployed>()> read_again{};
    std::shared_ptr<WorkerHost> host;      // runs the workers
    std::shared_ptr<MpsWorkerHost> mps{};  // the host where it is one, else null
    int descriptor_limit = 1024;           // RLIMIT_NOFILE
    int worker_output = STDERR_FILENO;     // the workers' standard output and error
    LostLines log_lines_lost{};            // of the program's log, where that can lose some
    // Is told about changes of state, and that the daemon lives, in the words of sd_notify(3). Any
    // thread.
    std::function<void(const std::string& state)> notify;
  };

  // Starts workers and servers; returns without waiting for the workers. An address that is taken
  // is Unavailable, an admin socket that somebody answers on AlreadyExists; no worker is started
  // then.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(Options options);
  ~Daemon();

  // Where it listens, with the ports that were bound.
  struct Addresses {
    std::string inference;
    std::string http;  // empty: none
    std::string admin;
    std::string metrics;  // empty: none
  };
  Addresses addresses() const;

  enum class Ending {
    kDrained,     // in order; the object may be destroyed
    kUnservable,  // at the first start: a model cannot be served as it is configured; likewise
    // A second signal, or an end that takes too long: the caller leaves the process at once,
    // without destructors.
    kForced,
  };

  // Serves until a signal can be read from `signal_fd` (a signalfd) or an operator asks to drain;
  // SIGHUP has the configuration read again. Then: not ready -> grace, still admitting -> refuses
  // and answers what is inside -> ends.
  Ending Run(int signal_fd);

 private:
  explicit Daemon(Options options);

  absl::Status CheckAddresses() const;
  absl::Status StartEngines();
  absl::Status StartServers();
  MpsReporter ReporterOfMps() const;
  // On the host's thread: the MPS daemon that the workers belong to is gone, and another is there.
  void RenewWorkersOnGpus();
  void StartSelfProbe();
  void Wake();
  ChangeCascades ChangesOfCascades();
  void PublishReadiness();
  void BeginLeaving();
  void BeginDraining();
  void Drain(TimePoint deadline);
  // Until clients have stopped sending new calls, at the latest until `deadline`: those that reach
  // gRPC while it shuts down would read CANCELLED in place of UNAVAILABLE.
  void RefuseUntilQuiet(TimePoint deadline) const;

  const Options options_;
  const UniqueFd wake_fd_;                  // eventfd
  std::unique_ptr<Deployment> deployment_;  // outlives what uses its models
  std::unique_ptr<ServerState> state_;
  std::unique_ptr<InferenceServer> inference_;
  std::unique_ptr<RestServer> rest_;
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<MetricsServer> metrics_;

  std::atomic<bool> drain_requested_{false};
  std::atomic<bool> drained_{false};
  std::atomic<bool> unservable_{false};
  bool was_ready_ = false;
  std::string said_;         // last status text
  TimePoint leave_until_{};  // end of the grace period
  TimePoint end_by_ = TimePoint::max();
  std::thread drain_thread_;
  std::unique_ptr<SelfProbe> self_probe_;  // goes first: it asks the others
};

}  // namespace escan
