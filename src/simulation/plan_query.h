#pragma once

#include <atomic>

#include "allocation/search_grid.h"
#include "allocation/workload.h"
#include "contracts/plan.h"
#include "contracts/profile.h"
#include "escan/cascade.h"
#include "simulation/simulation.h"

namespace escan {

inline constexpr char kCancelled[] = "the search for a plan was cancelled";

// What a plan is asked for. What it refers to outlives the search.
struct PlanQuery {
  const Profile& profile;
  const CascadeSpec& cascade;  // the profile's
  Workload workload;           // names a ratio for each of its stages
  int devices = 1;
  SearchLimits limits{};
  const Plan* in_effect = nullptr;  // any valid plan, to compare with; null: none
  // Set by another thread when nobody waits for the answer any more; looked at before each plan is
  // simulated. Null: never.
  const std::atomic<bool>* cancelled = nullptr;

  bool IsCancelled() const { return cancelled != nullptr && *cancelled; }

  SimulatedSystem SystemWith(const Plan& plan) const {
    return {.cascade = cascade, .plan = plan, .profile = profile};
  }
};

}  // namespace escan
