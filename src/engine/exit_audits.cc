#include "engine/exit_audits.h"

#include "contracts/label.h"

namespace escan {

ExitAudits::ExitAudits(const CascadeSpec& cascade, const SlabLayout& layout, const Slab& slab)
    : cascade_(cascade),
      layout_(layout),
      slab_(slab),
      output_(LabelOutput(cascade)),
      counts_(cascade.stages.size()) {}

void ExitAudits::Add(const AuditedSample& sample) {
  if (!output_.has_value()) return;
  const int last = cascade_.stage_count() - 1;
  AuditCount& count = counts_[static_cast<size_t>(sample.stage)];
  ++count.audited;
  if (LabelAt(sample.slot, sample.stage, *output_) != LabelAt(sample.slot, last, *output_)) {
    ++count.disagreed;
  }
}

int64_t ExitAudits::LabelAt(SlotId slot, int stage, int output) const {
  const auto at = static_cast<size_t>(stage);
  const auto tensor = static_cast<size_t>(cascade_.stages[at].answer[static_cast<size_t>(output)]);
  return LabelOf(cascade_.outputs[static_cast<size_t>(output)],
                 slab_.At(slot, layout_.outputs[at][tensor]));
}

}  // namespace escan
