#pragma once

#include "absl/status/statusor.h"
#include "escan/cascade.h"
#include "ipc/slab.h"
#include "ipc/slab_layout.h"

namespace escan {

// Rows of requests that every worker of the cascade is checked with before it is ready, in slots of
// `layout`: the same random ones at every start, within declared ranges. Their outputs are zero.
// Errors are those of Slab::Create.
absl::StatusOr<Slab> MakeProbeSlab(const CascadeSpec& cascade, const SlabLayout& layout);

}  // namespace escan
