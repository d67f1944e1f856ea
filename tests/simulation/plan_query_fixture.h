#pragma once

#include <gtest/gtest.h>

#include "simulation/plan_query.h"
#include "simulation/system_under_test.h"

namespace escan {

// Asks for plans of two stages whose batches save much, on a device that a few workers fill.
class PlanQueryTest : public testing::Test {
 protected:
  PlanQueryTest() : system_({std::chrono::milliseconds(1), std::chrono::milliseconds(4)}, 8) {
    Profile& profile = system_.profile;
    profile.client_counts = {1, 4};
    for (StageCosts& costs : profile.stages) {
      const Seconds full = costs.step[0][0];
      costs.buckets = {1, 8};
      costs.step = {{full / 2, full}};
      costs.steady_step = costs.step;
      costs.device_time = {{{full / 4, full / 2}, {full / 4, full / 2}}};
    }
    for (StageSpec& stage : system_.cascade.stages) stage.buckets = {1, 8};
    workload_.exit_ratios = {0.5, 1};
  }

  PlanQuery Query() const {
    return {.profile = system_.profile,
            .cascade = system_.cascade,
            .workload = workload_,
            .limits = {.clients = 4}};
  }

  SystemUnderTest system_;
  Workload workload_;
};

}  // namespace escan
