#include "worker/loop/stage_tensors.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace escan {

size_t RowBytes(const SlabTensor& tensor) {
  return std::accumulate(tensor.shape.begin(), tensor.shape.end(), ByteSize(tensor.datatype),
                         [](size_t bytes, int64_t size) { return bytes * size; });
}

std::string StageLabel(const WorkerStage& stage) {
  return absl::StrCat("stage '", stage.name, "' (", stage.model, ")");
}

int SmallestBucket(const WorkerStage& stage) {
  return *std::min_element(stage.buckets.begin(), stage.buckets.end());
}

int LargestBucket(const WorkerStage& stage) {
  return *std::max_element(stage.buckets.begin(), stage.buckets.end());
}

int PreparationSteps(const std::vector<WorkerStage>& stages) {
  return std::accumulate(stages.begin(), stages.end(), 0, [](int steps, const WorkerStage& stage) {
    return steps + static_cast<int>(stage.buckets.size());
  });
}

absl::Status CheckScore(const WorkerStage& stage) {
  if (stage.score == ExitScore::kNone) return absl::OkStatus();
  const SlabTensor& output = stage.outputs[static_cast<size_t>(stage.score_output)];
  if (output.datatype == Datatype::kFp32) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      StageLabel(stage), ": output '", output.name, "', which the exit score is computed from, is ",
      std::string(Name(output.datatype)), ", expected FP32"));
}

void GatherRows(const Slab& slab, std::span<const SlotId> slots, const SlabTensor& tensor,
                std::byte* batch) {
  const size_t bytes = RowBytes(tensor);
  for (const SlotId slot : slots) {
    std::memcpy(batch, slab.At(slot, tensor.offset), bytes);
    batch += bytes;
  }
}

void ScatterRows(const Slab& slab, std::span<const SlotId> slots, const SlabTensor& tensor,
                 const std::byte* batch) {
  const size_t bytes = RowBytes(tensor);
  for (const SlotId slot : slots) {
    std::memcpy(slab.At(slot, tensor.offset), batch, bytes);
    batch += bytes;
  }
}

}  // namespace escan
