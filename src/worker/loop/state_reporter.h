#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "contracts/mutex.h"
#include "escan/stage_executor.h"
#include "ipc/frame_socket.h"
#include "ipc/frames.h"

namespace escan {

// Tells the daemon how far the worker is. Thread-safe: the main loop reports changes, the watch
// repeats the last one as the heartbeat, and no old state follows a new one. A call blocks while
// the socket is full. Unavailable when the daemon is gone.
class StateReporter {
 public:
  // `socket` must outlive the reporter.
  StateReporter(const FrameSocket& socket, uint32_t incarnation);

  absl::Status Report(WorkerState state, int done = 0, int total = 0) ESCAN_EXCLUDES(mutex_);

  // What the checks before the first batch have shown.
  absl::Status Report(const std::vector<BucketCheck>& checks) ESCAN_EXCLUDES(mutex_);

  // WorkerState::kFailed. An Aborted reason is a fault of the device.
  absl::Status ReportFailure(const absl::Status& reason) ESCAN_EXCLUDES(mutex_);

  // What the process takes of a GPU: part of the reports that follow.
  void SetGpuUse(const StageExecutor::GpuUse& use) ESCAN_EXCLUDES(mutex_);

  absl::Status Heartbeat() ESCAN_EXCLUDES(mutex_);

 private:
  const FrameSocket& socket_;
  Mutex mutex_;
  StateFrame frame_ ESCAN_GUARDED_BY(mutex_);
};

}  // namespace escan
