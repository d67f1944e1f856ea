#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "config/config.h"
#include "contracts/mutex.h"
#include "server/daemon/automatic_plans.h"
#include "server/deployment/cascade_change.h"
#include "server/deployment/model_start.h"
#include "server/deployment/version_factory.h"
#include "server/inference/server_state.h"

namespace escan {

// A configuration and the profiles that hold for it.
struct Deployed {
  Config config;
  Profiles profiles;
};

// Which cascades are served, and the change from some to others while requests are answered: a new
// version is an engine of its own, with workers of its own, beside the one that serves. Once it is
// ready and verified, new requests find it; those inside end on the old one, which then goes. A
// change happens as a whole or not at all. Owned by the daemon; outlives the services.
class Deployment {
 public:
  struct Options {
    Deployed first;
    // Reads the configuration again; null where there is no file. InvalidArgument: it is wrong.
    std::function<absl::StatusOr<Deployed>()> read_again;
    std::shared_ptr<WorkerHost> host;
    int worker_output = 0;
    // May be called on any thread: what is ready may have changed.
    std::function<void()> on_change;
    // At the first start only: a cascade cannot be served as it is configured.
    std::function<void(const std::string& model, const std::string& reason)> on_unservable;
  };

  explicit Deployment(Options options);
  ~Deployment();

  // Starts the engines of the first configuration, without waiting for their workers.
  absl::StatusOr<ModelTable> StartFirst();
  // The table and the clients of `state` are this object's from here on; changes may begin.
  // InvalidArgument: the file of clients is wrong.
  absl::Status Serve(ServerState* state);

  // Begins a change, after those that were asked for before; does not block. `done` is called once,
  // perhaps at once: InvalidArgument and FailedPrecondition say why nothing was changed; NotFound,
  // PermissionDenied; ResourceExhausted: too many wait; Unavailable: the daemon ends.
  void Begin(CascadeChange change, ChangeDone done);

  // No change begins from now on; one that still waits for workers is given up. Does not block.
  void Stop();

  // All that have not ended, also those that only answer what is inside.
  ModelTable Living() const { return versions_.Living(); }
  ShutdownConfig shutdown() const;

 private:
  struct Waiting {
    CascadeChange change;
    ChangeDone done;
  };
  // What the table is to become.
  struct Next {
    ModelTable table;
    std::vector<std::unique_ptr<ModelStart>> starts;
    std::map<std::string, std::string> fingerprints;
    ChangeReport report;
  };

  void Run();
  absl::StatusOr<ChangeReport> Change(const CascadeChange& change);
  absl::StatusOr<ChangeReport> Apply(Deployed next, const CascadeChange& change);
  absl::StatusOr<ChangeReport> Remove(const std::string& name);
  absl::StatusOr<ChangeReport> Carry(const CascadeChange& change);
  absl::StatusOr<ChangeReport> StartRollout(const CascadeChange& change);
  absl::StatusOr<ChangeReport> EndRollout(const std::string& name, Rollout::State state,
                                          const std::string& reason);
  void Promote(const Rollout& rollout);
  // Ends the rollout when it is time, or when it has to.
  void LookAtRollout();
  bool RollsOut() const;
  absl::Status Prepare(const Deployed& next, const CascadeChange& change, Next* prepared);
  absl::Status WaitFor(Next* prepared);
  void Switch(Deployed next, Next prepared);
  void Watch(const std::shared_ptr<ServedModel>& model);

  const Options options_;
  VersionFactory versions_;  // the thread's, and before it StartFirst's
  size_t message_limit_ = 0;
  ServerState* state_ = nullptr;

  // Of the thread, and before it of StartFirst.
  Deployed deployed_;
  std::map<std::string, std::string> fingerprints_;  // of what is served, by name
  std::map<std::string, std::string> promoted_;      // of what a rollout put in its place

  mutable Mutex mutex_;
  CondVar changed_;
  bool stopped_ ESCAN_GUARDED_BY(mutex_) = false;
  std::deque<Waiting> waiting_ ESCAN_GUARDED_BY(mutex_);
  std::vector<ModelStart*> starting_ ESCAN_GUARDED_BY(mutex_);
  ShutdownConfig shutdown_ ESCAN_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace escan
