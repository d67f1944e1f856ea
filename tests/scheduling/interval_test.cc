#include "scheduling/interval.h"

#include <gtest/gtest.h>

#include <cmath>

namespace escan {
namespace {

// Worked examples of R: prop.test(70, 100, correct = FALSE), prop.test(0, 10, correct = FALSE).
TEST(WilsonInterval, AgreesWithPublishedValues) {
  EXPECT_NEAR(WilsonInterval(70, 100).low, 0.604149, 1e-5);
  EXPECT_NEAR(WilsonInterval(70, 100).high, 0.781051, 1e-5);
  EXPECT_NEAR(WilsonInterval(0, 10).low, 0, 1e-12);
  EXPECT_NEAR(WilsonInterval(0, 10).high, 0.277533, 1e-5);
  EXPECT_NEAR(WilsonInterval(10, 10).high, 1, 1e-12);
}

TEST(WilsonInterval, KnowsNothingWithoutTrials) {
  EXPECT_EQ(WilsonInterval(0, 0).low, 0);
  EXPECT_EQ(WilsonInterval(0, 0).high, 1);
}

// The bounds m solve |n - m| = 1.96 sqrt(m).
TEST(PoissonInterval, BoundsAreAsFarAsTheirOwnDeviations) {
  for (const uint64_t events : {1u, 20u, 5000u}) {
    const auto n = static_cast<double>(events);
    const Interval interval = PoissonInterval(events);
    EXPECT_NEAR(n - interval.low, 1.959964 * std::sqrt(interval.low), 1e-6);
    EXPECT_NEAR(interval.high - n, 1.959964 * std::sqrt(interval.high), 1e-6);
  }
}

TEST(Interval, OverlapsWhereItHasACommonPoint) {
  const Interval interval{.low = 1, .high = 2};
  EXPECT_TRUE(interval.Overlaps({.low = 2, .high = 3}));
  EXPECT_TRUE(interval.Overlaps({.low = 0, .high = 5}));
  EXPECT_FALSE(interval.Overlaps({.low = 2.1, .high = 3}));
  EXPECT_FALSE(interval.Overlaps({.low = 0, .high = 0.9}));
  EXPECT_TRUE(interval.Contains(1));
  EXPECT_FALSE(interval.Contains(2.5));
}

}  // namespace
}  // namespace escan
