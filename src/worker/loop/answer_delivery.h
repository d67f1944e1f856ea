#pragma once

#include <span>
#include <string>

#include "escan/stage_executor.h"
#include "ipc/slab.h"
#include "ipc/worker_spec.h"
#include "worker/verification/answer_comparison.h"

namespace escan {

// What every executor does with rows of `stage` that it has computed, one behind the other: writes
// outputs to `slots` and scores to `results`; or, of rows to compare, writes nothing to the slots
// and marks those that differ. Returns what is wrong with the first of them, empty if none is.
std::string DeliverAnswer(const WorkerStage& stage, BatchPurpose purpose, const Slab& slab,
                          std::span<const SlotId> slots, const ComputedAnswer& answer,
                          std::span<RowResult> results);

}  // namespace escan
