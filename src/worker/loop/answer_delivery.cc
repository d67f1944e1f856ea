#include "worker/loop/answer_delivery.h"

#include "worker/loop/stage_tensors.h"

namespace escan {

std::string DeliverAnswer(const WorkerStage& stage, BatchPurpose purpose, const Slab& slab,
                          std::span<const SlotId> slots, const ComputedAnswer& answer,
                          std::span<RowResult> results) {
  for (RowResult& result : results) result = {};
  if (purpose != BatchPurpose::kServe) {
    return CompareAnswer(stage, slab, slots, answer, results).value_or("");
  }
  for (size_t i = 0; i < stage.outputs.size(); ++i) {
    ScatterRows(slab, slots, stage.outputs[i], answer.outputs[i]);
  }
  for (size_t row = 0; row < slots.size(); ++row) results[row].score = answer.scores[row];
  return {};
}

}  // namespace escan
