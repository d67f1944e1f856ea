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
#include "controller/control_loop.h"
#include "engine/engine.h"
#include "escan/time.h"
#include "server/daemon/mps_report.h"
#include "server/protocol/answer_writer.h"
#include "server/protocol/request_counters.h"
#include "server/protocol/time_split.h"

namespace escan {

// One cascade as the services see it.
struct ServedModel {
  ServedModel(const CascadeConfig& model_config, std::unique_ptr<Engine> model_engine);

  const CascadeSpec& cascade() const { return config.spec; }

  const CascadeConfig config;  // as the file has it
  const std::vector<TensorSpec> answer_tensors;
  const AnswerWriter answers;
  RequestCounters counters;
  TimeSplit time_split;
  const std::unique_ptr<Engine> engine;
};

// What the daemon is doing about new requests.
enum class Phase {
  kServing,
  kLeaving,   // reports itself not ready, but still admits
  kDraining,  // refuses new requests
};

// How many lines the program's log has lost.
using LostLines = std::function<uint64_t()>;

// What all services share: the models, the phase, and where to ask about MPS. Owned by the daemon,
// outlives every call; any thread.
class ServerState {
 public:
  // `mps` is given where a device is a GPU, `controller` where plans follow the load.
  explicit ServerState(std::vector<std::unique_ptr<ServedModel>> models, MpsReporter mps = nullptr,
                       std::unique_ptr<ControlLoop> controller =
                           std::make_unique<ControlLoop>(std::vector<ControlledCascade>()),
                       LostLines log_lines_lost = nullptr)
      : models_(std::move(models)),
        mps_(std::move(mps)),
        controller_(std::move(controller)),
        log_lines_lost_(std::move(log_lines_lost)) {}

  const std::vector<std::unique_ptr<ServedModel>>& models() const { return models_; }
  // NotFound naming the models that there are.
  absl::StatusOr<ServedModel*> Find(absl::string_view name) const;
  // The same for a version of it, "" for any; NotFound for one that there is not.
  absl::StatusOr<ServedModel*> Find(absl::string_view name, absl::string_view version) const;
  // nullptr when there is none; does not allocate.
  ServedModel* FindOrNull(absl::string_view name) const;

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

  ControlLoop& controller() const { return *controller_; }
  // What puts a plan into effect for an operator; see ControlLoop::SetPlan where it is automatic.
  absl::StatusOr<PlanChange> SetPlan(const ServedModel& model, const Plan& plan) const;

  // The latest inference call that was refused because the server drains; the clock's zero: none.
  TimePoint last_refusal() const { return last_refusal_.load(std::memory_order_relaxed); }
  void NoteRefusal(TimePoint now) { last_refusal_.store(now, std::memory_order_relaxed); }

  // Of the requests that belong to no model.
  RequestCounters& unrouted() { return unrouted_; }
  const RequestCounters& unrouted() const { return unrouted_; }

 private:
  const std::vector<std::unique_ptr<ServedModel>> models_;
  const MpsReporter mps_;
  const std::unique_ptr<ControlLoop> controller_;
  const LostLines log_lines_lost_;
  std::atomic<Phase> phase_{Phase::kServing};
  std::atomic<bool> accepting_{true};
  std::atomic<uint64_t> refused_{0};
  std::atomic<bool> answering_{true};
  std::atomic<TimePoint> last_refusal_{TimePoint{}};
  RequestCounters unrouted_;
};

}  // namespace escan
