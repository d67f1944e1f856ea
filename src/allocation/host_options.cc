#include "allocation/host_options.h"

#include <algorithm>
#include <limits>

namespace escan {

void HostOptions::CountsChanged() {
  clients_ = candidate_.clients();
  for (ClassSet hosts = 1; hosts <= all(); ++hosts) {
    workers_[hosts] = 0;
    for (size_t c = 0; c < candidate_.used().size(); ++c) {
      if (Has(hosts, c)) workers_[hosts] += candidate_.classes[c].count;
    }
  }
  SharesChanged(grid_.stages());
}

void HostOptions::SharesChanged(int unhosted) {
  rows_ = {};
  for (int stage = 0; stage < unhosted; ++stage) {
    const auto i = static_cast<size_t>(stage);
    constexpr double kInfinite = std::numeric_limits<double>::infinity();
    SampleCost here{.worker = kInfinite, .device = kInfinite};
    for (ClassSet hosts = 1; hosts <= all(); ++hosts) {
      const StageOptionRow& row = Row(stage, hosts);
      here.worker = std::min(here.worker, row.least_worker);
      here.device = std::min(here.device, row.least_device);
    }
    const double dense = here.worker > 0 ? here.device / here.worker : 0;
    least_[i + 1] = {.most_dense = std::max(least_[i].most_dense, dense),
                     .cost = {.worker = least_[i].cost.worker + here.worker,
                              .device = least_[i].cost.device + here.device},
                     .memory = least_[i].memory + grid_.profile().stages[i].memory_bytes};
  }
}

const StageOptionRow& HostOptions::FindRow(int stage, ClassSet hosts) {
  std::array<int, kMostClasses> shares{};
  size_t count = 0;
  for (size_t c = 0; c < candidate_.used().size(); ++c) {
    if (Has(hosts, c)) shares[count++] = candidate_.classes[c].share;
  }
  const StageOptionRow*& row = rows_[static_cast<size_t>(stage)][hosts];
  row = &options_.Row(stage, {shares.data(), count}, workers_[hosts]);
  return *row;
}

SampleCost HostOptions::LeastCost(int stage, ClassSet hosts) {
  return {.worker = Row(stage, hosts).least_worker,
          .device = MeanDeviceTime(stage, hosts, [&](int share) {
            return grid_.least_device_time(stage, share, clients_);
          })};
}

SampleCost HostOptions::Cost(int stage, ClassSet hosts, const StageOption& option) const {
  return {.worker = option.worker, .device = MeanDeviceTime(stage, hosts, [&](int share) {
                                     return grid_.device_times(stage, share,
                                                               clients_)[option.bucket];
                                   })};
}

template <typename Time>
double HostOptions::MeanDeviceTime(int stage, ClassSet hosts, Time time) const {
  Seconds sum{};
  for (size_t c = 0; c < candidate_.used().size(); ++c) {
    const Candidate::Class& workers = candidate_.classes[c];
    if (Has(hosts, c)) sum += workers.count * time(workers.share);
  }
  return grid_.reach(stage) * sum.count() / workers_[hosts];
}

}  // namespace escan
