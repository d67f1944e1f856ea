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

std::string_view Name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kRight:
      return "right";
    case Verdict::kRightByRemedy:
      return "right by remedy";
    case Verdict::kWrong:
      return "wrong";
    case Verdict::kUnknown:
      return "unknown";
  }
  return "unknown";
}

}  // namespace escan
