#include "allocation/plan_load.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "allocation/queueing.h"

namespace escan {
namespace {

// P(N = k) of N ~ Binomial(n, p).
double BinomialProbability(int n, int k, double p) {
  if (p <= 0) return k == 0 ? 1 : 0;
  if (p >= 1) return k == n ? 1 : 0;
  return std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) +
                  k * std::log(p) + (n - k) * std::log1p(-p));
}

// Steps of at most `max_batch` rows each, one after the other. `step(rows)` is the time of one.
template <typename Step>
Seconds InTurn(int rows, int max_batch, Step step) {
  const int rest = rows % max_batch;
  return rows / max_batch * step(max_batch) + (rest > 0 ? step(rest) : Seconds::zero());
}

}  // namespace

class PlanLoad::Builder {
 public:
  Builder(PlanLoad* load, const StepCosts& costs, const Workload& workload, const Plan& plan)
      : load_(*load), costs_(costs), workload_(workload), plan_(plan), reach_(workload.Reach()) {
    for (const WorkerGroup& group : plan.workers) clients_[group.device] += group.count;
  }

  void Build() {
    load_.rows_per_request = workload_.rows_per_request;
    load_.knee = costs_.profile().knee;
    for (const WorkerGroup& group : plan_.workers) {
      load_.classes.push_back(
          {.count = group.count, .device = group.device, .credits = group.credits});
    }
    SetBus();
    AddStations();
    for (const WorkerGroup& group : plan_.workers) {
      for (const Station& station : load_.stations) load_.costs.push_back(Cost(group, station));
    }
  }

 private:
  void AddStations() {
    const size_t count = plan_.options.regroup ? plan_.stages.size() : 1;
    for (size_t i = 0; i < count; ++i) {
      const StagePolicy& policy = plan_.stages[i];
      const bool beside = i > 0 && policy.speculate;
      std::vector<int>& rows = load_.rows_.emplace_back();
      for (const int bucket : Costs(i).buckets) {
        if (bucket < policy.max_batch) rows.push_back(bucket);
      }
      rows.push_back(policy.max_batch);
      load_.stations.push_back({.stage = static_cast<int>(i),
                                .work = Work(i),
                                .reach = reach_[i],
                                .beside = beside,
                                .max_batch = policy.max_batch,
                                .max_delay = policy.max_delay,
                                .rows = rows});
    }
  }

  // A stage that speculates runs what the one before runs.
  double Work(size_t stage) const {
    while (stage > 0 && plan_.stages[stage].speculate) --stage;
    return reach_[stage];
  }

  void SetBus() {
    double bytes = 0;
    for (size_t i = 0; i < reach_.size(); ++i) {
      bytes += Work(i) * static_cast<double>(Costs(i).input_bytes);
    }
    const double bandwidth = costs_.profile().bus_bytes_per_second;
    if (bandwidth > 0 && bytes > 0) load_.bus_rate = bandwidth / bytes;
  }

  StationCost Cost(const WorkerGroup& group, const Station& station) {
    if (std::ranges::find(group.stages, station.stage) == group.stages.end()) return {};
    std::vector<Seconds>& steps = load_.steps_.emplace_back();
    for (const int rows : station.rows) {
      const Seconds step =
          plan_.options.regroup ? StepTime(group, station.stage, rows) : LongestPass(group, rows);
      steps.push_back(steps.empty() ? step : std::max(step, steps.back()));
    }
    const auto busy = [&](int stage, int rows) { return BusyTime(group, stage, rows); };
    const auto device = [&](int stage, int rows) { return DeviceTime(group, stage, rows); };
    return {.worker_time = OfASample(station, station.max_batch, busy),
            .device_time = OfASample(station, station.max_batch, device),
            .device_alone = OfALonelySample(station, device),
            .largest_worker =
                OfASample(station, Largest(station),
                          [&](int stage, int rows) { return StepTime(group, stage, rows); }),
            .largest_device = OfASample(station, Largest(station), device),
            .steps = steps};
  }

  Seconds StepTime(const WorkerGroup& group, int stage, int rows) const {
    return costs_.StepTime(stage, rows, group.thread_percent);
  }

  // With two batches at the worker the next one's rows are gathered while a step runs.
  Seconds BusyTime(const WorkerGroup& group, int stage, int rows) const {
    return group.credits > 1 ? costs_.SteadyStepTime(stage, rows, group.thread_percent)
                             : StepTime(group, stage, rows);
  }

  Seconds DeviceTime(const WorkerGroup& group, int stage, int rows) const {
    return costs_.DeviceTime(stage, rows, group.thread_percent, clients_.at(group.device));
  }

  // `step(stage, rows)` is what one step costs.
  template <typename Step>
  Seconds OfASample(const Station& station, int rows, Step step) const {
    return (plan_.options.regroup ? step(station.stage, rows) : MeanPass(rows, step)) / rows;
  }

  // In a batch of what arrives together.
  template <typename Step>
  Seconds OfALonelySample(const Station& station, Step step) const {
    const double group = GroupSize(workload_.rows_per_request, station.work);
    const int rows = station.rows[SizeOfGroup(station.rows, group)];
    return OfASample(station, rows, step) * (rows / std::min<double>(group, rows));
  }

  // A batch and its survivors at all later stages, each of its samples leaving independently.
  template <typename Step>
  Seconds MeanPass(int rows, Step step) const {
    Seconds sum{};
    for (int i = 0; i < static_cast<int>(plan_.stages.size()); ++i) {
      const double reach = reach_[static_cast<size_t>(i)];
      for (int left = 1; left <= rows; ++left) {
        sum += BinomialProbability(rows, left, reach) *
               InTurn(left, MaxBatch(i), [&](int n) { return step(i, n); });
      }
    }
    return sum;
  }

  // Down to the last stage that counts, with the survivors to be expected.
  Seconds LongestPass(const WorkerGroup& group, int rows) const {
    Seconds sum{};
    for (int i = 0; i < static_cast<int>(plan_.stages.size()); ++i) {
      const double reach = reach_[static_cast<size_t>(i)];
      if (reach * workload_.rows_per_request <= kIgnoredReach) break;
      sum += InTurn(static_cast<int>(std::ceil(rows * reach)), MaxBatch(i),
                    [&](int n) { return StepTime(group, i, n); });
    }
    return sum;
  }

  int Largest(const Station& station) const {
    return Costs(static_cast<size_t>(station.stage)).buckets.back();
  }
  const StageCosts& Costs(size_t stage) const { return costs_.profile().stages[stage]; }
  int MaxBatch(int stage) const { return plan_.stages[static_cast<size_t>(stage)].max_batch; }

  PlanLoad& load_;
  const StepCosts& costs_;
  const Workload& workload_;
  const Plan& plan_;
  const std::vector<double> reach_;
  std::map<int, int> clients_;  // by device
};

PlanLoad::PlanLoad(const StepCosts& costs, const Workload& workload, const Plan& plan) {
  Builder(this, costs, workload, plan).Build();
}

}  // namespace escan
