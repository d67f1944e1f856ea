#pragma once

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "escan/cascade.h"
#include "ipc/slab.h"
#include "ipc/slab_layout.h"
#include "ipc/worker_spec.h"

namespace escan {

// A slab laid out for a cascade, with the samples' tensors to write and read by name of their type.
class CascadeInSlab {
 public:
  static constexpr int kSlots = 64;

  explicit CascadeInSlab(CascadeSpec cascade) : cascade_(Complete(std::move(cascade))) {}

  const CascadeSpec& cascade() const { return cascade_; }
  const Slab& slab() const { return slab_; }

  // The stages as a worker that hosts all of them sees them.
  std::vector<WorkerStage> Stages() const {
    std::vector<int> all;
    for (int stage = 0; stage < cascade_.stage_count(); ++stage) all.push_back(stage);
    return WorkerStagesOf(cascade_, layout_, all);
  }

  // What a worker that hosts all stages is told.
  WorkerSpec Spec() const {
    WorkerSpec spec;
    spec.cascade = cascade_.name;
    spec.worker = 5;
    spec.incarnation = 7;
    spec.slots = layout_.slots;
    spec.stride = layout_.stride;
    spec.stages = Stages();
    return spec;
  }

  template <typename T>
  void SetInput(SlotId slot, size_t input, const std::vector<T>& row) {
    std::memcpy(slab_.At(slot, layout_.inputs[input]), row.data(), row.size() * sizeof(T));
  }

  template <typename T>
  void SetOutput(SlotId slot, size_t stage, size_t output, const std::vector<T>& row) {
    std::memcpy(slab_.At(slot, layout_.outputs[stage][output]), row.data(), row.size() * sizeof(T));
  }

  template <typename T>
  std::vector<T> Output(SlotId slot, size_t stage, size_t output) const {
    const TensorSpec& tensor = cascade_.stages[stage].outputs[output];
    std::vector<T> row(static_cast<size_t>(tensor.elements()));
    std::memcpy(row.data(), slab_.At(slot, layout_.outputs[stage][output]), row.size() * sizeof(T));
    return row;
  }

 private:
  static CascadeSpec Complete(CascadeSpec cascade) {
    cascade.slots = kSlots;
    return cascade;
  }

  CascadeSpec cascade_;
  SlabLayout layout_ = SlabLayout::For(cascade_).value();
  Slab slab_ = Slab::Create(layout_).value();
};

// A stage of the built-in executor that reads nothing and returns `outputs`.
inline StageSpec NullStage(const std::string& name, std::vector<TensorSpec> outputs) {
  StageSpec stage;
  stage.name = name;
  stage.executor = ExecutorKind::kNull;
  stage.inputs = {{.tensor = 0}};
  stage.outputs = std::move(outputs);
  stage.buckets = {1, 4};
  return stage;
}

}  // namespace escan
