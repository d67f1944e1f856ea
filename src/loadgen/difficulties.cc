#include "loadgen/difficulties.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

namespace escan::loadgen {
namespace {

constexpr int64_t kLeastRows = 65536;

// `count` values, each stage's share of them to within one, in stages' order.
std::vector<float> Apportion(const std::vector<double>& shares, int64_t count) {
  std::vector<float> values;
  values.reserve(static_cast<size_t>(count));
  double reached = 0;
  for (size_t stage = 0; stage + 1 < shares.size(); ++stage) {
    reached += shares[stage];
    const auto end = static_cast<size_t>(std::llround(reached * static_cast<double>(count)));
    values.resize(std::max(end, values.size()), static_cast<float>(stage) + 0.5f);
  }
  values.resize(static_cast<size_t>(count), static_cast<float>(shares.size() - 1) + 0.5f);
  return values;
}

// Fisher and Yates; std::shuffle differs between standard libraries.
void Shuffle(std::vector<float>& values, std::mt19937_64& random) {
  for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random() % i]);
}

}  // namespace

Difficulties::Difficulties(const ExitSchedule& schedule, int rows_per_request, uint64_t seed)
    : rows_per_request_(rows_per_request),
      requests_((kLeastRows + rows_per_request - 1) / rows_per_request) {
  std::mt19937_64 random(seed);
  for (const ExitSegment& segment : schedule.segments()) {
    values_.push_back(Apportion(ExitShares(segment.ratios), requests_ * rows_per_request));
    Shuffle(values_.back(), random);
  }
}

std::string_view Difficulties::Rows(int segment, int64_t request, int rows) const {
  const std::vector<float>& values = values_[static_cast<size_t>(segment)];
  const auto first = static_cast<size_t>(request % requests_ * rows_per_request_);
  return {reinterpret_cast<const char*>(&values[first]), static_cast<size_t>(rows) * sizeof(float)};
}

}  // namespace escan::loadgen
