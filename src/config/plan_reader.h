#pragma once

#include "config/node_reader.h"
#include "escan/cascade.h"
#include "escan/plan.h"

namespace escan {

// A plan of `cascade`, in the form of the configuration's `plan:`. What it answers is of use only
// when no mistake was noted. Of the cascade it reads the stages' names, inputs and buckets.
Plan ReadPlan(const NodeReader& node, const CascadeSpec& cascade, int device_count);

}  // namespace escan
