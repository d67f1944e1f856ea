#include "scheduling/step_times.h"

#include <algorithm>
#include <cmath>

namespace escan {
namespace {

Duration FromNanoseconds(double ns) { return Duration(static_cast<int64_t>(ns)); }

}  // namespace

StepTimes::StepTimes(const CascadeSpec& cascade) : stages_(cascade.stages.size()) {
  for (size_t s = 0; s < stages_.size(); ++s) {
    const std::vector<int>& buckets = cascade.stages[s].buckets;
    Stage& stage = stages_[s];
    const size_t count = std::max<size_t>(buckets.size(), 1);
    stage.estimates.resize(count);
    stage.lasting.resize(count);
    stage.means.resize(count);
    for (int rows = 0; rows <= kMaxBatchRows; ++rows) {
      const auto bucket = static_cast<size_t>(
          std::lower_bound(buckets.begin(), buckets.end(), rows) - buckets.begin());
      stage.bucket_of_rows[static_cast<size_t>(rows)] =
          static_cast<uint8_t>(std::min(bucket, count - 1));
    }
  }
}

void StepTimes::Estimate::Add(Duration took, TimePoint now) {
  count = std::min(count + 1, kSpan);
  last = now;
  const double weight = 1.0 / count;
  const double difference = static_cast<double>(took.count()) - mean;
  const double increment = weight * difference;
  mean += increment;
  variance = (1 - weight) * (variance + difference * increment);
}

void StepTimes::Add(int stage, int rows, Duration took, TimePoint now) {
  Stage& at = stages_[static_cast<size_t>(stage)];
  const size_t bucket = at.bucket_of_rows[static_cast<size_t>(rows)];
  Estimate& estimate = at.estimates[bucket];
  if (now - estimate.last > kMemory) estimate = {};
  estimate.Add(took, now);
  at.lasting[bucket].Add(took, now);
  at.means[bucket] = std::max(FromNanoseconds(estimate.mean), Duration(1));
}

std::span<const Duration> StepTimes::means(int stage) const {
  return stages_[static_cast<size_t>(stage)].means;
}

std::optional<Duration> StepTimes::Recent(int stage, int rows, TimePoint now) const {
  const Estimate& known = estimate(stage, rows);
  if (known.count == 0 || now - known.last > kMemory) return std::nullopt;
  return FromNanoseconds(known.mean);
}

std::optional<StepTimes::Longest> StepTimes::LongestOf(int stage, int rows) const {
  const Stage& at = stages_[static_cast<size_t>(stage)];
  const auto first = at.lasting.begin() + at.bucket_of_rows[static_cast<size_t>(rows)];
  const auto known = std::find_if(first, at.lasting.end(),
                                  [](const Estimate& estimate) { return estimate.count > 0; });
  if (known == at.lasting.end()) return std::nullopt;
  return Longest{.p99 = FromNanoseconds(known->mean + 2.33 * std::sqrt(known->variance)),
                 .certain = known->count == kSpan};
}

const StepTimes::Estimate& StepTimes::estimate(int stage, int rows) const {
  const Stage& at = stages_[static_cast<size_t>(stage)];
  return at.estimates[at.bucket_of_rows[static_cast<size_t>(rows)]];
}

}  // namespace escan
