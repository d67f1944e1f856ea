#include "allocation/step_costs.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace escan {
namespace {

// A value between two neighbours of a list: (1 - part) * [low] + part * [low + 1].
struct Place {
  size_t low = 0;
  double part = 0;  // 0: [low] alone
};

Place PlaceOf(int value, const std::vector<int>& points) {
  if (value <= points.front()) return {};
  if (value >= points.back()) return {.low = points.size() - 1};
  const auto above = std::upper_bound(points.begin(), points.end(), value);
  const int low = *(above - 1);
  return {.low = static_cast<size_t>(above - points.begin()) - 1,
          .part = static_cast<double>(value - low) / (*above - low)};
}

Place PlaceOfRows(int rows, const std::vector<int>& buckets, bool padded) {
  if (!padded) return PlaceOf(rows, buckets);
  const auto bucket = std::lower_bound(buckets.begin(), buckets.end() - 1, rows);
  return {.low = static_cast<size_t>(bucket - buckets.begin())};
}

// `at(i)` is the value of the list's element i.
template <typename At>
Seconds Between(const Place& place, At at) {
  if (place.part == 0) return at(place.low);
  return at(place.low) * (1 - place.part) + at(place.low + 1) * place.part;
}

}  // namespace

Seconds StepCosts::StepTime(int stage, int rows, int thread_percent) const {
  const StageCosts& costs = profile_.stages[static_cast<size_t>(stage)];
  const Place share = PlaceOf(thread_percent, profile_.thread_percents);
  const Place bucket = PlaceOfRows(rows, costs.buckets, profile_.padded);
  return Between(
      share, [&](size_t s) { return Between(bucket, [&](size_t b) { return costs.step[s][b]; }); });
}

Seconds StepCosts::DeviceTime(int stage, int rows, int thread_percent, int clients) const {
  const StageCosts& costs = profile_.stages[static_cast<size_t>(stage)];
  const Place share = PlaceOf(thread_percent, profile_.thread_percents);
  const Place count = PlaceOf(clients, profile_.client_counts);
  const Place bucket = PlaceOfRows(rows, costs.buckets, profile_.padded);
  return Between(share, [&](size_t s) {
    return Between(count, [&](size_t c) {
      return Between(bucket, [&](size_t b) { return costs.device_time[s][c][b]; });
    });
  });
}

}  // namespace escan
