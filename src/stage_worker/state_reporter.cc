#include "stage_worker/state_reporter.h"

#include "stage_worker/frame_text.h"

namespace escan {

StateReporter::StateReporter(const FrameSocket& socket, uint32_t incarnation) : socket_(socket) {
  frame_.header.incarnation = incarnation;
}

absl::Status StateReporter::Report(WorkerState state, int done, int total,
                                   absl::string_view message) {
  const MutexLock lock(mutex_);
  frame_.state = state;
  frame_.done = static_cast<uint32_t>(done);
  frame_.total = static_cast<uint32_t>(total);
  SetFrameText(frame_.message, message);
  return socket_.Send(frame_);
}

absl::Status StateReporter::Heartbeat() {
  const MutexLock lock(mutex_);
  return socket_.Send(frame_);
}

}  // namespace escan
