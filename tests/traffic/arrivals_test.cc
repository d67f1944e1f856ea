#include "traffic/arrivals.h"

#include <gtest/gtest.h>

namespace escan {
namespace {

using std::chrono::milliseconds;

TEST(ArrivalSchedule, ConstantArrivalsAreEquallySpacedFromZero) {
  ArrivalSchedule schedule(Arrivals::kConstant, 250, 1);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(schedule.Next(), milliseconds(4) * i);
}

TEST(ArrivalSchedule, TheSameSeedGivesTheSameTimes) {
  ArrivalSchedule first(Arrivals::kPoisson, 1000, 7);
  ArrivalSchedule second(Arrivals::kPoisson, 1000, 7);
  ArrivalSchedule other(Arrivals::kPoisson, 1000, 8);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const Duration at = first.Next();
    EXPECT_EQ(at, second.Next());
    differs = differs || at != other.Next();
  }
  EXPECT_TRUE(differs);
}

TEST(ArrivalSchedule, PoissonGapsHaveTheMeanAndTheDeviationOfTheRate) {
  constexpr int kCount = 100000;
  ArrivalSchedule schedule(Arrivals::kPoisson, 1000, 3);
  double sum = 0;
  double squares = 0;
  Duration last{};
  for (int i = 0; i < kCount; ++i) {
    const Duration at = schedule.Next();
    ASSERT_GE(at, last);
    const double gap = std::chrono::duration<double, std::milli>(at - last).count();
    sum += gap;
    squares += gap * gap;
    last = at;
  }
  const double mean = sum / kCount;
  EXPECT_NEAR(mean, 1.0, 0.02);
  EXPECT_NEAR(squares / kCount - mean * mean, 1.0, 0.05);  // the variance is the mean's square
}

}  // namespace
}  // namespace escan
