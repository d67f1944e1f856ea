#include "allocation/stage_options.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "allocation/queueing.h"

namespace escan {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr double kRounding = 1e-9;

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
  rate_ = contest_.rate();
  rows_.clear();
  const auto shares = static_cast<size_t>(grid_.any_share()) + 1;
  row_of_.assign(
      static_cast<size_t>(grid_.stages()) * shares * shares * shares * (kMostClients + 1), -1);
}

const StageOptionRow& StageOptions::Row(int stage, std::span<const int> shares, int hosts) {
  size_t key = static_cast<size_t>(stage);
  for (size_t i = 0; i < kMostClasses; ++i) {
    const int share = i < shares.size() ? shares[i] : shares.back();
    key = key * static_cast<size_t>(grid_.any_share() + 1) + static_cast<size_t>(share);
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
  row->slowest.resize(buckets);
  row->least_worker = row->least_device = kInfinite;
  for (size_t bucket = 0; bucket < buckets; ++bucket) {
    StageOption option{.bucket = bucket, .worker = kInfinite, .device = kInfinite};
    for (const int share : shares) {
      const double worker = reach * LeastWorkerTime(grid_, stage, share, bucket).count();
      const double device = reach * grid_.device_times(stage, share, clients_)[bucket].count();
      option.worker = std::min(option.worker, worker);
      option.device = std::min(option.device, device);
      row->slowest[bucket] =
          std::max(row->slowest[bucket], grid_.steps(stage, share)[bucket].count());
    }
    row->least_worker = std::min(row->least_worker, option.worker);
    row->least_device = std::min(row->least_device, option.device);
    row->options.push_back(option);
  }
  if (static_cast<size_t>(stage) < late_.counted()) AddLatency(stage, hosts, row);
}

// By TailLatency, had the hosts nothing else to do; see SizeThatHolds.
void StageOptions::AddLatency(int stage, int hosts, StageOptionRow* row) const {
  const double together = GroupSize(grid_.workload().rows_per_request, grid_.reach(stage));
  const int last = grid_.buckets(stage) - 1;
  for (StageOption& option : row->options) {
    const int rows = grid_.rows(stage, static_cast<int>(option.bucket)).back();
    option.delay = Seconds(grid_.MaxDelay(stage, static_cast<int>(option.bucket))).count();
    option.steps = std::ceil(together / (rows * hosts));
    option.group = together / rows;
  }
  const double delay = Seconds(grid_.MaxDelay(stage, last)).count();
  for (int bucket = 0; bucket < last; ++bucket) {
    const double room = grid_.rows(stage, bucket).back() + 0.5 - together;
    const double time = room / (rate_ * grid_.reach(stage)) - delay;
    const double slowdown = time * hosts / row->slowest[static_cast<size_t>(bucket)];
    row->outgrown.push_back(slowdown * (slowdown > 0 ? 1 + kRounding : 1 - kRounding));
  }
}

}  // namespace escan
