#include "allocation/search_grid.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <numeric>

#include "allocation/queueing.h"

namespace escan {

bool Candidate::HasTwins() const {
  for (size_t a = 0; a < used().size(); ++a) {
    for (size_t b = 0; b < a; ++b) {
      const bool same_hosts =
          classes[a].first == classes[b].first && classes[a].last == classes[b].last;
      if (same_hosts && classes[a].share == classes[b].share) return true;
    }
  }
  return false;
}

SearchGrid::SearchGrid(const StepCosts& costs, const Workload& workload, const SearchLimits& limits)
    : profile_(costs.profile()), workload_(workload), limits_(limits), reach_(workload.Reach()) {
  memory_before_.push_back(0);
  for (const StageCosts& stage : profile_.stages) {
    buckets_.emplace_back(stage.buckets);
    memory_before_.push_back(memory_before_.back() + stage.memory_bytes);
  }
  for (int stage = 0; stage < stages(); ++stage) {
    for (int share = 0; share < shares(); ++share) {
      const int percent = profile_.thread_percents[Index(share)];
      std::vector<Seconds>& steps = steps_.emplace_back();
      std::vector<Seconds>& unhurried = unhurried_.emplace_back();
      std::vector<Seconds>& overlapped = overlapped_.emplace_back();
      for (Table& table : device_) table.emplace_back();
      for (const int rows : buckets_[Index(stage)]) {
        const Seconds step = costs.StepTime(stage, rows, percent);
        steps.push_back(steps.empty() ? step : std::max(step, steps.back()));
        unhurried.push_back(step / rows);
        overlapped.push_back(costs.SteadyStepTime(stage, rows, percent) / rows);
        for (int clients = 1; clients <= kMostClients; ++clients) {
          device_[Index(clients)].back().push_back(costs.DeviceTime(stage, rows, percent, clients) /
                                                   rows);
        }
      }
      longest_.push_back(steps.back());
      AddAlone(costs, stage, share);
    }
  }
}

void SearchGrid::AddAlone(const StepCosts& costs, int stage, int share) {
  const double group = GroupSize(workload_.rows_per_request, reach(stage));
  const int percent = profile_.thread_percents[Index(share)];
  for (int clients = 1; clients <= kMostClients; ++clients) {
    std::vector<Seconds>& devices = devices_alone_[Index(clients)].emplace_back();
    for (int bucket = 0; bucket < buckets(stage); ++bucket) {
      const int batch = buckets_[Index(stage)][SizeOfGroup(rows(stage, bucket), group)];
      devices.push_back(costs.DeviceTime(stage, batch, percent, clients) /
                        std::min<double>(group, batch));
    }
  }
}

int SearchGrid::Credits(const Candidate::Class& workers) const {
  for (int stage = workers.first; stage <= workers.last; ++stage) {
    if (!IsShort(stage, workers.share)) return 1;
  }
  return 2;
}

Duration SearchGrid::MaxDelay(int stage, int bucket) const {
  if (rows(stage, bucket).back() == 1) return Duration::zero();
  return std::chrono::duration_cast<Duration>(steps(stage, shares() - 1).front() / 4);
}

size_t SearchGrid::Memory(const Candidate& candidate) const {
  size_t sum = 0;
  size_t largest = 0;
  for (const Candidate::Class& workers : candidate.used()) {
    const size_t bytes = profile_.context_bytes + memory_before_[Index(workers.last) + 1] -
                         memory_before_[Index(workers.first)];
    sum += bytes * Index(workers.count);
    largest = std::max(largest, bytes);
  }
  return sum + largest;
}

Plan SearchGrid::MakePlan(const Candidate& candidate, int devices) const {
  Plan plan;
  for (int device = 0; device < devices; ++device) {
    for (const Candidate::Class& workers : candidate.used()) {
      WorkerGroup& group = plan.workers.emplace_back();
      group.count = workers.count;
      group.device = device;
      group.thread_percent = profile_.thread_percents[Index(workers.share)];
      group.credits = Credits(workers);
      group.stages.resize(Index(workers.last - workers.first + 1));
      std::iota(group.stages.begin(), group.stages.end(), workers.first);
    }
  }
  for (int stage = 0; stage < stages(); ++stage) {
    const int bucket = candidate.bucket[Index(stage)];
    plan.stages.push_back(
        {.max_batch = rows(stage, bucket).back(), .max_delay = MaxDelay(stage, bucket)});
  }
  return plan;
}

}  // namespace escan
