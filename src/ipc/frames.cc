#include "ipc/frames.h"

namespace escan {

std::string_view Name(WorkerState state) {
  switch (state) {
    case WorkerState::kStarting:
      return "starting";
    case WorkerState::kLoading:
      return "loading";
    case WorkerState::kWarming:
      return "warming";
    case WorkerState::kCapturing:
      return "capturing";
    case WorkerState::kReady:
      return "ready";
    case WorkerState::kFailed:
      return "failed";
  }
  return "unknown";
}

}  // namespace escan
