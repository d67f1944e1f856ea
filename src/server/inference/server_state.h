#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config/config.h"
#include "contracts/mutex.h"
#include "controller/control_loop.h"
#include "escan/time.h"
#include "server/access/client_registry.h"
#include "server/daemon/mps_report.h"
#include "server/inference/served_model.h"
#include "server/protocol/request_counters.h"
#include "server/rollout/rollout.h"

namespace escan {

// What the daemon is doing about new requests.
enum class Phase {
  kServing,
  kLeaving,   // reports itself not ready, but still admits
  kDraining,  // refuses new requests
};

// How many lines the program's log has lost.
using LostLines = std::function<uint64_t()>;

// The cascades that are served, by the order of the configuration.
using ModelTable = std::vector<std::shared_ptr<ServedModel>>;

// What all services share: the models, the phase, and where to ask about MPS. Owned by the daemon,
// outlives every call; any thread.
class ServerState {
 public:
  // `mps` is given where a device is a GPU, `controller` where plans follow the load.
  explicit ServerState(ModelTable models, MpsReporter mps = nullptr,
                       std::shared_ptr<ControlLoop> controller =
                           std::make_shared<ControlLoop>(std::vector<ControlledCascade>()),
                       LostLines log_lines_lost = nullptr)
      : mps_(std::move(mps)),
        log_lines_lost_(std::move(log_lines_lost)),
        models_(std::move(models)),
        controller_(std::move(controller)) {}

  // Those of this moment.
  ModelTable models() const;
  // NotFound naming the models that there are.
  absl::StatusOr<std::shared_ptr<ServedModel>> Find(absl::string_view name) const;
  // The same for a version of it, "" for any; NotFound for one that there is not.
  absl::StatusOr<std::shared_ptr<ServedModel>> Find(absl::string_view name,
                                                    absl::string_view version) const;
  // nullptr when there is none; does not allocate.
  std::shared_ptr<ServedModel> FindOrNull(absl::string_view name) const;
  // Which version answers a request that may name one: of a cascade that is rolled out it may be
  // the new one, and the rollout is given along. Both null: there is no such model.
  struct Routed {
    std::shared_ptr<ServedModel> model;
    std::shared_ptr<Rollout> rollout;
  };
  Routed Route(absl::string_view name, absl::string_view version) const;
  // Requests that come from now on find these; what watches them goes with them.
  void SetModels(ModelTable models, std::shared_ptr<ControlLoop> controller);

  // The rollout that is under way, else the last one; null: there was none.
  std::shared_ptr<Rollout> rollout() const;
  void SetRollout(std::shared_ptr<Rollout> rollout);

  // Who may ask; null: everybody.
  std::shared_ptr<const ClientRegistry> clients() const;
  void SetClients(std::shared_ptr<const ClientRegistry> clients);
  // Who asks with this `authorization`, which may be empty; null where everybody may.
  // Unauthenticated is counted.
  absl::StatusOr<std::shared_ptr<Client>> CallerOf(absl::string_view authorization);

  Phase phase() const { return phase_.load(std::memory_order_relaxed); }
  void set_phase(Phase phase) { phase_.store(phase, std::memory_order_relaxed); }
  // Whether clients' connections are taken, and how many were not.
  bool accepting() const { return accepting_.load(std::memory_order_relaxed); }
  void set_accepting(bool accepting) { accepting_.store(accepting, std::memory_order_relaxed); }
  uint64_t refused_connections() const { return refused_.load(std::memory_order_relaxed); }
  void CountRefusedConnection() { refused_.fetch_add(1, std::memory_order_relaxed); }

  // Whether the daemon answers when it asks itself.
  bool answering() const { return answering_.load(std::memory_order_relaxed); }
  void set_answering(bool answering) { answering_.store(answering, std::memory_order_relaxed); }

  // Serving, taking connections and answering, and every stage of the model has a ready worker.
  bool ready(const ServedModel& model) const;
  bool ready() const;
  // Why the model, or the first such model, is not ready; empty when it is.
  std::string NotReadyReason(const ServedModel& model) const;
  std::string NotReadyReason() const;

  // Absent where no device is a GPU.
  std::optional<MpsReport> mps() const {
    return mps_ == nullptr ? std::nullopt : std::optional(mps_());
  }

  uint64_t log_lines_lost() const { return log_lines_lost_ == nullptr ? 0 : log_lines_lost_(); }

  std::shared_ptr<ControlLoop> controller() const;
  // What puts a plan into effect for an operator; see ControlLoop::SetPlan where it is automatic.
  absl::StatusOr<PlanChange> SetPlan(const ServedModel& model, const Plan& plan) const;

  // The latest inference call that was refused because the server drains; the clock's zero: none.
  TimePoint last_refusal() const { return last_refusal_.load(std::memory_order_relaxed); }
  void NoteRefusal(TimePoint now) { last_refusal_.store(now, std::memory_order_relaxed); }

  // Of the requests that belong to no model.
  RequestCounters& unrouted() { return unrouted_; }
  const RequestCounters& unrouted() const { return unrouted_; }

 private:
  const MpsReporter mps_;
  const LostLines log_lines_lost_;
  mutable Mutex mutex_;
  ModelTable models_ ESCAN_GUARDED_BY(mutex_);
  std::shared_ptr<ControlLoop> controller_ ESCAN_GUARDED_BY(mutex_);
  std::shared_ptr<Rollout> rollout_ ESCAN_GUARDED_BY(mutex_);
  std::shared_ptr<const ClientRegistry> clients_ ESCAN_GUARDED_BY(mutex_);
  std::atomic<Phase> phase_{Phase::kServing};
  std::atomic<bool> accepting_{true};
  std::atomic<uint64_t> refused_{0};
  std::atomic<bool> answering_{true};
  std::atomic<TimePoint> last_refusal_{TimePoint{}};
  RequestCounters unrouted_;
};

}  // namespace escan
