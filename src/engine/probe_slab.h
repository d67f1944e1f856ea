#pragma once

#include "absl/status/statusor.h"
#include "escan/cascade.h"
#include "ipc/slab.h"
#include "ipc/slab_layout.h"

namespace escan {

// The rows of ReadProbeRows() in slots of `layout`, whose outputs are zero. Errors are those of
// ReadProbeRows and Slab::Create.
absl::StatusOr<Slab> MakeProbeSlab(const CascadeSpec& cascade, const SlabLayout& layout);

}  // namespace escan
