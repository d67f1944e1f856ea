#include "loadgen/latency.h"

#include <gtest/gtest.h>

namespace escan::loadgen {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(LatencySummary, PercentilesAreByNearestRankWhateverTheOrder) {
  std::vector<Duration> values;
  for (int i = 2000; i >= 1; --i) values.push_back(microseconds(i));
  const LatencySummary summary = Summarize(values);
  EXPECT_EQ(summary.p50, microseconds(1000));
  EXPECT_EQ(summary.p90, microseconds(1800));
  EXPECT_EQ(summary.p95, microseconds(1900));
  EXPECT_EQ(summary.p99, microseconds(1980));
  EXPECT_EQ(summary.p99_9, microseconds(1998));
  EXPECT_EQ(summary.max, microseconds(2000));
  EXPECT_EQ(summary.mean, Duration(1000500));
}

TEST(LatencySummary, OneValueIsEveryPercentile) {
  const LatencySummary summary = Summarize({milliseconds(3)});
  EXPECT_EQ(summary.p50, milliseconds(3));
  EXPECT_EQ(summary.p99_9, milliseconds(3));
}

TEST(LatencySummary, NothingIsZero) { EXPECT_EQ(Summarize({}).max, Duration::zero()); }

TEST(LatencyHistogram, IsWithinAnEighthOfTheExactPercentile) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.Percentile(99), Duration::zero());
  for (int i = 1; i <= 100000; ++i) histogram.Add(microseconds(i));
  const Duration p99 = histogram.Percentile(99);
  EXPECT_LE(p99, microseconds(99000));
  EXPECT_GE(p99, microseconds(99000) * 7 / 8);
}

TEST(LatencyHistogram, HoldsEveryDuration) {
  LatencyHistogram histogram;
  histogram.Add(Duration(-5));
  EXPECT_EQ(histogram.Percentile(100), Duration::zero());
  histogram.Add(Duration::max());
  EXPECT_GT(histogram.Percentile(100), Duration::max() / 8 * 7);
}

}  // namespace
}  // namespace escan::loadgen
