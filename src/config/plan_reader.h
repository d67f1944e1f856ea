#pragma once

#include "config/config.h"
#include "config/node_reader.h"
#include "contracts/plan.h"

namespace escan {

// A plan in the form of the configuration's `plan:`. What it answers is of use only when no mistake
// was noted. Of the cascade it reads the stages' names, inputs and buckets.
Plan ReadPlan(const NodeReader& node, const PlanContext& context);

}  // namespace escan
