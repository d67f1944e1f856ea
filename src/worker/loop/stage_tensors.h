#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ipc/slab.h"
#include "ipc/worker_spec.h"

// What executors have in common: facts of a WorkerStage, and rows on their way between the slots
// and batches that lie together.
namespace escan {

size_t RowBytes(const SlabTensor& tensor);

// "stage 'small' (/models/small.pt)": how every message of a stage begins.
std::string StageLabel(const WorkerStage& stage);

int SmallestBucket(const WorkerStage& stage);
int LargestBucket(const WorkerStage& stage);

// Steps of preparing `stages`: one for each bucket of each stage.
int PreparationSteps(const std::vector<WorkerStage>& stages);

// OK when the output that a stage's exit score is computed from is FP32.
absl::Status CheckScore(const WorkerStage& stage);

// Copies row n of a batch from slots[n] to `batch` + n * RowBytes(tensor).
void GatherRows(const Slab& slab, std::span<const SlotId> slots, const SlabTensor& tensor,
                std::byte* batch);

// The reverse.
void ScatterRows(const Slab& slab, std::span<const SlotId> slots, const SlabTensor& tensor,
                 const std::byte* batch);

}  // namespace escan
