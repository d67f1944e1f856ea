#include "allocation/contention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace escan {
namespace {

double Sum(const std::vector<DeviceDemand>& demands, double slowdown) {
  double sum = 0;
  for (const DeviceDemand& demand : demands) sum += std::min(slowdown * demand.asked, demand.most);
  return sum;
}

TEST(Slowdown, IsNoneWhereNothingIsAsked) {
  EXPECT_EQ(Slowdown({}, 1, 4), 1);
  const std::vector<DeviceDemand> idle{{.asked = 0, .most = 3}};
  EXPECT_EQ(Slowdown(idle, 1, 4), 1);
}

TEST(Slowdown, OfIdleWorkersGrowsWithTheirLoad) {
  const std::vector<DeviceDemand> demands{{.asked = 0.5, .most = 100}};
  EXPECT_NEAR(Slowdown(demands, 1, 4), std::pow(1 - std::pow(0.5, 4), -0.25), 1e-12);
}

TEST(Slowdown, OfBusyWorkersIsThatOfAllTheirSteps) {
  const std::vector<DeviceDemand> demands{{.asked = 1, .most = 2}, {.asked = 3, .most = 4}};
  EXPECT_NEAR(Slowdown(demands, 0.9, 2), std::sqrt(1 + std::pow(0.9 * 6, 2)), 1e-12);
}

TEST(Slowdown, SolvesItsEquationAndGrowsWithEachDemand) {
  std::minstd_rand random(1);
  std::uniform_real_distribution<double> any(0, 1);
  for (int round = 0; round < 2000; ++round) {
    std::vector<DeviceDemand> demands(1 + static_cast<size_t>(3 * any(random)));
    for (DeviceDemand& demand : demands) {
      demand = {.asked = 2 * any(random) * any(random), .most = 4 * any(random)};
    }
    const double crowding = any(random);
    const double knee = 1 + 11 * any(random);
    const double slowdown = Slowdown(demands, crowding, knee);
    const double load = crowding * Sum(demands, slowdown);
    ASSERT_NEAR(slowdown, std::pow(1 + std::pow(load, knee), 1 / knee), 1e-9 * slowdown);
    // Nothing less solves it.
    for (double less = 1; less < slowdown * (1 - 1e-6); less += 0.01) {
      ASSERT_GT(std::pow(1 + std::pow(crowding * Sum(demands, less), knee), 1 / knee), less);
    }
    for (DeviceDemand& demand : demands) {
      demand.asked *= 1.1;
      ASSERT_GE(Slowdown(demands, crowding, knee), slowdown * (1 - 1e-12));
      demand.most *= 1.1;
      ASSERT_GE(Slowdown(demands, crowding, knee), slowdown * (1 - 1e-12));
    }
  }
}

}  // namespace
}  // namespace escan
