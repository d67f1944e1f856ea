#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "simulation/simulation.h"

namespace escan {

// A cascade, its costs and a plan that tests put together. At first each stage has one bucket and
// takes its time whatever the rows, steps do not slow each other, and there is room for all.
struct SystemUnderTest {
  CascadeSpec cascade;
  Plan plan;  // without workers
  Profile profile;

  // A stage for each of `step_times`, in batches up to `max_batch`.
  SystemUnderTest(const std::vector<Duration>& step_times, int max_batch) {
    cascade.name = "digits";
    cascade.max_rows = 64;
    cascade.slots = 1 << 16;
    cascade.deadline = std::chrono::hours(1);
    profile.thread_percents = {100};
    profile.client_counts = {1};
    for (const Duration step_time : step_times) {
      cascade.stages.emplace_back().buckets = {max_batch};
      plan.stages.push_back({.max_batch = max_batch});
      StageCosts& costs = profile.stages.emplace_back();
      costs.buckets = {max_batch};
      costs.step = {{Seconds(step_time)}};
      costs.steady_step = costs.step;
      costs.device_time = {{{Seconds(0)}}};
    }
  }

  SystemUnderTest& AddWorkers(const WorkerGroup& group) {
    plan.workers.push_back(group);
    return *this;
  }
  SystemUnderTest& Speculate() {
    for (size_t stage = 1; stage < plan.stages.size(); ++stage) plan.stages[stage].speculate = true;
    return *this;
  }
  // Of every stage, as a part of its step time.
  SystemUnderTest& PutLoad(double load) {
    for (StageCosts& costs : profile.stages) costs.device_time = {{{costs.step[0][0] * load}}};
    return *this;
  }

  SimulationReport Run(const SimulatedLoad& load) const {
    const auto report = Simulate({.cascade = cascade, .plan = plan, .profile = profile}, load);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : SimulationReport();
  }
};

inline std::vector<ExitPhase> ExitRatios(const std::vector<double>& ratios) {
  return {{.ratios = ratios}};
}

}  // namespace escan
