#include "traffic/latency_summary.h"

#include <gtest/gtest.h>

namespace escan {
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

}  // namespace
}  // namespace escan
