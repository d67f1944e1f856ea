#pragma once

#include <string>
#include <vector>

#include "allocation/model_search.h"
#include "allocation/workload.h"

namespace escan {

// For people: the plan, what the model says about it, what bounds it, the runners-up. Stages are
// named by `stage_names`, devices and groups by their index in the plan. Lines end in '\n'.
std::string Explain(const PlannedPlan& planned, const std::vector<std::string>& stage_names);
std::string Explain(const Allocation& allocation, const Workload& workload,
                    const std::vector<std::string>& stage_names);

}  // namespace escan
