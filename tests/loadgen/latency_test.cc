#include "loadgen/latency.h"

#include <gtest/gtest.h>

namespace escan::loadgen {
namespace {

using std::chrono::microseconds;

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
