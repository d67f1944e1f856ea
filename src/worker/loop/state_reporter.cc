#include "worker/loop/state_reporter.h"

#include "worker/loop/frame_text.h"

namespace escan {

StateReporter::StateReporter(const FrameSocket& socket, uint32_t incarnation) : socket_(socket) {
  frame_.header.incarnation = incarnation;
}

absl::Status StateReporter::Report(WorkerState state, int done, int total) {
  const MutexLock lock(mutex_);
  frame_.state = state;
  frame_.done = static_cast<uint32_t>(done);
  frame_.total = static_cast<uint32_t>(total);
  return socket_.Send(frame_);
}

absl::Status StateReporter::Report(const std::vector<BucketCheck>& checks) {
  const MutexLock lock(mutex_);
  for (const BucketCheck& check : checks) {
    CheckFrame frame{.stage = static_cast<uint32_t>(check.stage),
                     .rows = static_cast<uint32_t>(check.rows),
                     .verdict = check.verdict,
                     .step_ns = static_cast<uint64_t>(check.step.count()),
                     .least_score = check.least_score,
                     .greatest_score = check.greatest_score};
    frame.header.incarnation = frame_.header.incarnation;
    SetFrameText(frame.way, check.way);
    SetFrameText(frame.message, check.message);
    if (const absl::Status sent = socket_.Send(frame); !sent.ok()) return sent;
  }
  return absl::OkStatus();
}

absl::Status StateReporter::ReportFailure(const absl::Status& reason) {
  const MutexLock lock(mutex_);
  frame_.state = WorkerState::kFailed;
  frame_.done = 0;
  frame_.total = 0;
  frame_.device_fault = absl::IsAborted(reason) ? 1 : 0;
  SetFrameText(frame_.message, reason.message());
  return socket_.Send(frame_);
}

void StateReporter::SetGpuUse(const StageExecutor::GpuUse& use) {
  const MutexLock lock(mutex_);
  frame_.multiprocessors = static_cast<uint32_t>(use.multiprocessors);
  frame_.device_memory = use.memory_bytes;
}

absl::Status StateReporter::Heartbeat() {
  const MutexLock lock(mutex_);
  return socket_.Send(frame_);
}

}  // namespace escan
