#include "allocation/slowdown_bound.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace escan {
namespace {

TEST(SlowdownBound, IsNotAboveTheSlowdownAndNearlySolvesItsEquation) {
  std::minstd_rand random(1);
  std::uniform_real_distribution<double> any(0, 1);
  for (int round = 0; round < 20000; ++round) {
    std::vector<DeviceDemand> demands(static_cast<size_t>(4 * any(random)));
    for (DeviceDemand& demand : demands) {
      demand = {.asked = 2 * any(random) * any(random), .most = 4 * any(random)};
    }
    const double crowding = any(random);
    const double knee = 1 + 11 * any(random);
    const double bound = SlowdownBound(knee).Of(demands, crowding);
    ASSERT_LE(bound, Slowdown(demands, crowding, knee) * (1 + 1e-12)) << "round " << round;
    double load = 0;
    for (const DeviceDemand& demand : demands) {
      load += crowding * std::min(bound * demand.asked, demand.most);
    }
    const double nearly = knee < 2 ? 0.98 : 0.999;
    ASSERT_GT(bound, std::pow(1 + std::pow(load, knee), 1 / knee) * nearly) << "round " << round;
  }
}

TEST(SlowdownBound, OfWorkersWithoutLimitIsInfiniteWhereTheyCannotKeepUp) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  const std::vector<DeviceDemand> demands{{.asked = 1.1, .most = kInfinite}};
  EXPECT_EQ(SlowdownBound(4).Of(demands, 1), kInfinite);
  EXPECT_NEAR(SlowdownBound(4).Of(demands, 0.5), Slowdown(demands, 0.5, 4), 1e-3);
}

}  // namespace
}  // namespace escan
