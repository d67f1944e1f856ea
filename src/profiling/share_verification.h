#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/engine.h"
#include "escan/cascade.h"
#include "escan/verdict.h"

namespace escan {

// What a worker that hosts all stages of a cascade found out about its answers at one share.
struct ShareVerification {
  int thread_percent = 100;
  int multiprocessors = 0;  // of a GPU, that it was shown
  std::vector<BucketCheck> checks;
  std::string failure;  // why it did not become ready; empty: it did

  bool right() const { return failure.empty(); }
};

// Starts one worker with this share of the engine's first device and waits until it is ready, or
// has failed once. Blocks; Cancelled soon after `cancelled` became true. Other errors are those of
// Engine::Start.
absl::StatusOr<ShareVerification> VerifyShare(CascadeSpec cascade, int thread_percent,
                                              const EngineOptions& options,
                                              const std::atomic<bool>& cancelled);

}  // namespace escan
