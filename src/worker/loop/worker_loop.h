#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "escan/stage_executor.h"
#include "escan/time.h"
#include "ipc/frame_socket.h"
#include "ipc/worker_spec.h"
#include "worker/loop/state_reporter.h"
#include "worker/verification/score_diagnosis.h"

namespace escan {

// What a worker does from start to end: has the executor prepare its stages, then takes batches
// from the daemon, at most `credits` at a time, and answers them in their order. Owned by the
// worker's main. Knows nothing of processes: main turns the outcome into an exit status.
class WorkerLoop {
 public:
  // All arguments must outlive the loop.
  WorkerLoop(const WorkerSpec& spec, const FrameSocket& socket, StageExecutor& executor,
             StateReporter& reporter, ScoreWatch& scores);

  // --- errors are reported to the daemon, as WorkerState::kFailed, unless it is gone: Unavailable
  // Has the executor prepare its stages; errors are its own.
  absl::Status Prepare();

  // After Prepare(), on the same thread or another: blocks until the worker has to end. OK after a
  // StopFrame, when all batches taken before it are answered. DataLoss when the daemon sent a frame
  // that this worker cannot have been meant to get. Else the executor's own error.
  absl::Status Serve();

 private:
  // A batch that the executor has taken up. The executor refers to its slots, so it never moves.
  struct Batch {
    BatchFrame frame;
    TimePoint started;
  };

  absl::Status Reported(const absl::Status& status);
  absl::Status PrepareStages();
  absl::Status ServeBatches();
  // Receives one frame; waits for it when no batch is unfinished. False when none came.
  absl::StatusOr<bool> TakeUp();
  absl::Status Start(const BatchFrame& frame);
  absl::Status CheckBatch(const BatchFrame& frame) const;
  absl::Status FinishOldest();

  const WorkerSpec& spec_;
  const FrameSocket& socket_;
  StageExecutor& executor_;
  StateReporter& reporter_;
  ScoreWatch& scores_;
  std::vector<Batch> batches_;  // a ring of one for each credit
  size_t oldest_ = 0;
  size_t unfinished_ = 0;
  std::vector<RowResult> results_;
  TimePoint last_finished_;
  bool stopping_ = false;
};

}  // namespace escan
