#pragma once

#include "controller/plan_decision.h"
#include "escan/v1/admin.pb.h"
#include "server/protocol/model_statistics.h"

namespace escan {

// A decision about a plan as operators see it; `now` tells its time as a date.
v1::PlanDecision Describe(const PlanDecision& decision, const Moment& now);

}  // namespace escan
