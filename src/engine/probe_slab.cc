#include "engine/probe_slab.h"

#include <cstring>
#include <string>
#include <vector>

#include "arrays/probe_rows.h"

namespace escan {

absl::StatusOr<Slab> MakeProbeSlab(const CascadeSpec& cascade, const SlabLayout& layout) {
  const absl::StatusOr<std::vector<std::string>> rows = ReadProbeRows(cascade);
  if (!rows.ok()) return rows.status();
  SlabLayout of_probes = layout;
  of_probes.slots =
      static_cast<uint32_t>(rows->front().size() / cascade.inputs.front().row_bytes());
  absl::StatusOr<Slab> slab = Slab::Create(of_probes);
  if (!slab.ok()) return slab;
  for (size_t i = 0; i < cascade.inputs.size(); ++i) {
    const size_t bytes = cascade.inputs[i].row_bytes();
    for (SlotId slot = 0; slot < of_probes.slots; ++slot) {
      std::memcpy(slab->At(slot, layout.inputs[i]), (*rows)[i].data() + slot * bytes, bytes);
    }
  }
  return slab;
}

}  // namespace escan
