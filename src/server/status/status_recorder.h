#pragma once

#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "contracts/device.h"
#include "contracts/mutex.h"
#include "server/inference/server_state.h"
#include "server/status/cascade_history.h"

namespace escan {

// Reads every two seconds, on a thread of its own, what the engines do, keeps the last five
// minutes, and tells it as JSON. `state` outlives it. Any thread.
class StatusRecorder {
 public:
  StatusRecorder(const ServerState* state, std::vector<Device> devices);
  ~StatusRecorder();

  // {"time_ms", "status": what escanctl --json status shows, "cascades": [{"name",
  // "latency_objective_ms", "plan_yaml", "decisions", "history", "events"}]}. Blocks until each
  // engine has answered.
  std::string Json() const;

 private:
  using Key = std::pair<std::string, std::string>;  // name and version of a cascade
  using Histories = std::map<Key, CascadeHistory>;
  static Key KeyOf(const ServedModel& model) { return {model.cascade().name, model.version}; }

  void Run();
  void Read(TimePoint now);

  const ServerState* const state_;
  const std::vector<Device> devices_;
  const TimePoint started_ = Clock::now();
  mutable Mutex mutex_;
  CondVar changed_;
  bool ended_ ESCAN_GUARDED_BY(mutex_) = false;
  Histories histories_ ESCAN_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace escan
