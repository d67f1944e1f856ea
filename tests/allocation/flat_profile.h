#pragma once

#include <utility>
#include <vector>

#include "allocation/workload.h"
#include "contracts/plan.h"
#include "contracts/profile.h"
#include "escan/time.h"

namespace escan {

// A stage of which a step takes `step` plus `per_row` for each row, whatever the share and the
// number of clients, and of the device's time the part `device`.
struct FlatStage {
  Seconds step{};
  Seconds per_row{};
  double device = 0;
};

// A profile of one share, with which results can be computed by hand. Steps hardly slow each other
// before the device is full.
inline Profile FlatProfile(const std::vector<FlatStage>& stages,
                           const std::vector<int>& buckets = {1, 4, 16}) {
  Profile profile;
  profile.thread_percents = {100};
  profile.client_counts = {1};
  profile.knee = 200;
  for (const FlatStage& flat : stages) {
    StageCosts& stage = profile.stages.emplace_back();
    stage.buckets = buckets;
    stage.step.emplace_back();
    stage.device_time.emplace_back().emplace_back();
    for (const int rows : buckets) {
      const Seconds step = flat.step + flat.per_row * rows;
      stage.step[0].push_back(step);
      stage.device_time[0][0].push_back(step * flat.device);
    }
    stage.steady_step = stage.device_time[0];
  }
  return profile;
}

inline Plan PlanOf(std::vector<WorkerGroup> workers, const std::vector<int>& max_batches) {
  Plan plan{.workers = std::move(workers)};
  for (const int rows : max_batches) plan.stages.push_back({.max_batch = rows});
  return plan;
}

}  // namespace escan
