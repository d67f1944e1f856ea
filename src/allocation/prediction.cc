#include "allocation/prediction.h"

#include <algorithm>

#include "allocation/memory.h"
#include "allocation/plan_load.h"
#include "allocation/tail_latency.h"

namespace escan {
namespace {

int LargestAt(const std::vector<double>& values) {
  return static_cast<int>(std::ranges::max_element(values) - values.begin());
}

Bottleneck FindBottleneck(const Capacity& capacity, const WorkDivision& division) {
  Bottleneck bottleneck{.group = LargestAt(division.busy), .device = division.busiest_device};
  if (capacity.bus_bound < std::min(capacity.worker_bound, capacity.felt_bound)) {
    bottleneck.kind = Bottleneck::Kind::kBus;
  } else if (capacity.felt_bound < capacity.worker_bound) {
    bottleneck.kind = Bottleneck::Kind::kDevice;
  }
  bottleneck.stage =
      LargestAt(bottleneck.kind == Bottleneck::Kind::kWorkers ? division.worker_pressure
                                                              : division.device_pressure);
  return bottleneck;
}

size_t LargestMemory(const Profile& profile, const Plan& plan) {
  size_t largest = 0;
  for (const WorkerGroup& group : plan.workers) {
    largest = std::max(largest, DeviceMemory(profile, plan, group.device));
  }
  return largest;
}

}  // namespace

Prediction Predict(const StepCosts& costs, const Workload& workload, const Plan& plan) {
  const PlanLoad load(costs, workload, plan);
  CapacityModel model;
  Prediction prediction{.capacity = model.Predict(load), .division = model.Division(load)};
  prediction.bottleneck = FindBottleneck(prediction.capacity, prediction.division);
  prediction.goodput = workload.objective ? Goodput(load, prediction.capacity, *workload.objective)
                                          : prediction.capacity.rate;
  prediction.rate = workload.rate.value_or(prediction.goodput);
  const TailLatency latency(load, prediction.capacity, prediction.rate);
  prediction.p99 = latency.P99();
  const std::vector<double> reach = workload.Reach();
  for (size_t i = 0; i < plan.stages.size(); ++i) {
    prediction.expected_batch.push_back(plan.options.regroup ? latency.RowsTogether(i)
                                                             : latency.RowsTogether(0) * reach[i]);
  }
  prediction.memory_bytes = LargestMemory(costs.profile(), plan);
  return prediction;
}

}  // namespace escan
