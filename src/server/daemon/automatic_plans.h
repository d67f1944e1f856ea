#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "contracts/profile.h"
#include "controller/control_loop.h"

namespace escan {

struct ServedModel;

// By cascade.
using Profiles = std::map<std::string, Profile>;

// Gives each cascade whose plan is automatic and that has a profile the plan that is best before
// anything is known of its load, and tells so. Where there is none, the safe plan stays. Blocks
// while it searches.
void SetFirstPlans(const Profiles& profiles, Config* config);

// Over those same cascades, not started. The loop keeps the models.
std::shared_ptr<ControlLoop> MakeControlLoop(
    const Config& config, const Profiles& profiles,
    const std::vector<std::shared_ptr<ServedModel>>& models);

}  // namespace escan
