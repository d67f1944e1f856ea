#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "escan/stage_executor.h"
#include "ipc/slab.h"
#include "ipc/worker_spec.h"

namespace escan {

// The executor for all stages of `spec`. Call once in a process, on the thread that will use it.
// `slab` must outlive it. FailedPrecondition for a stage of a kind that this program was built
// without.
absl::StatusOr<std::unique_ptr<StageExecutor>> MakeExecutor(const WorkerSpec& spec,
                                                            const Slab& slab);

}  // namespace escan
