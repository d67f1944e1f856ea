#include "profiling/stage_alone.h"

#include <algorithm>
#include <cstddef>

namespace escan {

const TensorSpec& InputOf(const CascadeSpec& cascade, const TensorRef& ref) {
  const auto tensor = static_cast<size_t>(ref.tensor);
  if (ref.stage == TensorRef::kRequest) return cascade.inputs[tensor];
  return cascade.stages[static_cast<size_t>(ref.stage)].outputs[tensor];
}

CascadeSpec StageAlone(const CascadeSpec& cascade, int stage) {
  CascadeSpec alone = cascade;
  alone.stages = {cascade.stages[static_cast<size_t>(stage)]};
  StageSpec& only = alone.stages.front();
  alone.name = cascade.name + "." + only.name;
  alone.max_rows = std::max(alone.max_rows, only.buckets.back());
  alone.inputs.clear();
  for (TensorRef& ref : only.inputs) {
    if (ref.stage != TensorRef::kRequest) alone.probe.clear();  // the file has no such rows
    alone.inputs.push_back(InputOf(cascade, ref));
    ref = {.tensor = static_cast<int>(alone.inputs.size()) - 1};
  }
  return alone;
}

}  // namespace escan
