#include "allocation/stage_options.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "allocation/queueing.h"

namespace escan {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

// The worker's time of a sample with the number of credits that suits it best.
Seconds LeastWorkerTime(const SearchGrid& grid, int stage, int share, size_t bucket) {
  return std::min(grid.worker_times(stage, share, 1)[bucket],
                  grid.worker_times(stage, share, 2)[bucket]);
}

}  // namespace

StageOptions::StageOptions(const SearchGrid& grid, const Contest& contest, const LateParts& late)
    : grid_(grid), contest_(contest), late_(late) {}

void StageOptions::Reset(int clients) {
  clients_ = clients;
  crowding_ = Crowding(clients, grid_.profile().knee);
  rate_ = contest_.rate();
  rows_.clear();
  const auto shares = static_cast<size_t>(grid_.shares());
  row_of_.assign(
      static_cast<size_t>(grid_.stages()) * shares * shares * shares * (kMostClients + 1), -1);
  const double most_used = 1 - 1e-9;
  slowdown_ = Slowdown(std::min(rate_ * LeastDeviceTime(), most_used), grid_.profile().knee);
}

double StageOptions::LeastDeviceTime() const {
  double sum = 0;
  for (int stage = 0; stage < grid_.stages(); ++stage) {
    Seconds least = Seconds::max();
    for (int share = 0; share < grid_.shares(); ++share) {
      least = std::min(least, std::ranges::min(grid_.device_times(stage, share, clients_)));
    }
    sum += grid_.reach(stage) * least.count();
  }
  return crowding_ * sum;
}

const StageOptionRow& StageOptions::Row(int stage, std::span<const int> shares, int hosts) {
  size_t key = static_cast<size_t>(stage);
  for (size_t i = 0; i < kMostClasses; ++i) {
    const int share = i < shares.size() ? shares[i] : shares.back();
    key = key * static_cast<size_t>(grid_.shares()) + static_cast<size_t>(share);
  }
  int& row = row_of_[key * (kMostClients + 1) + static_cast<size_t>(hosts)];
  if (row < 0) {
    row = static_cast<int>(rows_.size());
    Fill(stage, shares, hosts, &rows_.emplace_back());
  }
  return rows_[static_cast<size_t>(row)];
}

void StageOptions::Fill(int stage, std::span<const int> shares, int hosts, StageOptionRow* row) {
  const auto buckets = static_cast<size_t>(grid_.buckets(stage));
  const double reach = grid_.reach(stage);
  std::vector<Seconds> slowest(buckets);
  row->least_worker = row->least_device = kInfinite;
  for (size_t bucket = 0; bucket < buckets; ++bucket) {
    StageOption option{.bucket = bucket, .worker = kInfinite, .device = kInfinite};
    for (const int share : shares) {
      const double worker = reach * LeastWorkerTime(grid_, stage, share, bucket).count();
      const double device = reach * grid_.device_times(stage, share, clients_)[bucket].count();
      option.worker = std::min(option.worker, worker);
      option.device = std::min(option.device, device);
      slowest[bucket] = std::max(slowest[bucket], grid_.steps(stage, share)[bucket]);
    }
    row->least_worker = std::min(row->least_worker, option.worker);
    row->least_device = std::min(row->least_device, option.device);
    row->options.push_back(option);
  }
  row->single = slowest.front().count();
  if (static_cast<size_t>(stage) < late_.counted()) AddLatency(stage, hosts, slowest, row);
}

size_t StageOptions::SizeTogether(int stage, int hosts, std::span<const Seconds> slowest) const {
  const std::span<const int> rows = grid_.rows(stage, grid_.buckets(stage) - 1);
  const double reach = grid_.reach(stage);
  const Seconds delay = grid_.MaxDelay(stage, grid_.buckets(stage) - 1);
  return SizeThatHolds(rows, GroupSize(grid_.workload().rows_per_request, reach), rate_ * reach,
                       [&](size_t size) { return delay + slowdown_ * slowest[size] / hosts; });
}

// By TailLatency, had the hosts nothing else to do.
void StageOptions::AddLatency(int stage, int hosts, std::span<const Seconds> slowest,
                              StageOptionRow* row) const {
  const double together = GroupSize(grid_.workload().rows_per_request, grid_.reach(stage));
  const size_t size = SizeTogether(stage, hosts, slowest);
  for (StageOption& option : row->options) {
    const int rows = grid_.rows(stage, static_cast<int>(option.bucket)).back();
    option.size = std::min(size, option.bucket);
    option.delay = Seconds(grid_.MaxDelay(stage, static_cast<int>(option.bucket))).count();
    option.step = std::ceil(together / (rows * hosts)) * slowest[option.size].count();
    option.longest = slowest[option.size].count();
    option.group = together / rows;
  }
}

}  // namespace escan
