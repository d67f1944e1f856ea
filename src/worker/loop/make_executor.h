#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "escan/stage_executor.h"
#include "ipc/slab.h"
#include "ipc/worker_spec.h"
#include "worker/verification/probes.h"

namespace escan {

// The executor for all stages of `spec`. Call once in a process, on the thread that will prepare
// it. Where another thread uses it then, LimitThreads() is for that one.
// `slab` must outlive it, `probes`, without which nothing is compared, its Prepare().
// FailedPrecondition for a stage of a kind that this program was built without.
absl::StatusOr<std::unique_ptr<StageExecutor>> MakeExecutor(const WorkerSpec& spec,
                                                            const Slab& slab, const Probes* probes);

// libtorch's work on the calling thread uses as many threads as `spec` says.
void LimitThreads(const WorkerSpec& spec);

// What all stages of `spec` must answer for the probe rows whose inputs lie in `given`: found in
// the spec's cache, or computed, which takes seconds. The error names the stage and the file.
absl::StatusOr<Probes> MakeProbes(const WorkerSpec& spec, const Slab& given);

}  // namespace escan
