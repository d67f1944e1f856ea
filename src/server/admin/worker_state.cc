#include "server/admin/worker_state.h"

namespace escan {

// A starting process's own word is finer than the fleet's, but that it is ready counts only once
// its share of the device was verified.
std::string_view StateName(const EngineStatus::Worker& worker) {
  if (worker.member.state != FleetState::kStarting) return Name(worker.member.state);
  return worker.reported == WorkerState::kReady ? "verifying" : Name(worker.reported);
}

}  // namespace escan
