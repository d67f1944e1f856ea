#include "scheduling/latency_quantile.h"

#include "gtest/gtest.h"
#include "scheduling/stage_statistics.h"

namespace escan {
namespace {

TEST(LatencyQuantile, LiesWithinItsBucket) {
  Histogram<kLatencyBounds.size()> histogram;
  EXPECT_EQ(LatencyQuantile(histogram.counts, 0.5), std::nullopt);
  histogram.Add(kLatencyBounds, 0.003, 90);  // (2 ms, 5 ms]
  histogram.Add(kLatencyBounds, 0.030, 10);  // (20 ms, 50 ms]
  EXPECT_NEAR(*LatencyQuantile(histogram.counts, 0.45), 0.0035, 1e-9);
  EXPECT_NEAR(*LatencyQuantile(histogram.counts, 0.95), 0.035, 1e-9);
  histogram.Add(kLatencyBounds, 60, 900);
  EXPECT_EQ(LatencyQuantile(histogram.counts, 0.99), kLatencyBounds.back());
}

TEST(LatencyQuantile, ThereIsNoneOfAnotherKindOfHistogram) {
  EXPECT_EQ(LatencyQuantile(std::array<uint64_t, 2>{1, 2}, 0.5), std::nullopt);
}

}  // namespace
}  // namespace escan
