#pragma once

#include <optional>
#include <vector>

#include "engine/engine_status.h"
#include "escan/cascade.h"
#include "ipc/slab.h"
#include "ipc/slab_layout.h"
#include "scheduling/scheduler.h"

namespace escan {

// Compares the class that an early exit answered with that of the last stage, and counts. Owned by
// EngineLoop, used on its thread.
class ExitAudits {
 public:
  // All of it outlives this.
  ExitAudits(const CascadeSpec& cascade, const SlabLayout& layout, const Slab& slab);

  void Add(const AuditedSample& sample);
  const AuditCount& of(int stage) const { return counts_[static_cast<size_t>(stage)]; }

 private:
  int64_t LabelAt(SlotId slot, int stage, int output) const;

  const CascadeSpec& cascade_;
  const SlabLayout& layout_;
  const Slab& slab_;
  const std::optional<int> output_;  // that has the class
  std::vector<AuditCount> counts_;   // by stage
};

}  // namespace escan
