#include "profiling/doubts.h"

#include <gtest/gtest.h>

#include <optional>

namespace escan {
namespace {

MeasurementPoint Rows(int rows) { return {.rows = rows}; }

Measurement Of(int rows, double rate, double spread = 0.01) {
  return {.point = Rows(rows), .rate = rate, .spread = spread};
}

Measurement Twice(Measurement measurement) {
  measurement.times_made = 2;
  return measurement;
}

TEST(FirstDoubtful, IsNoneOfStepsThatTakeLongerForMoreRows) {
  EXPECT_EQ(FirstDoubtful({Of(1, 1000), Of(4, 1000), Of(16, 700), Of(64, 300)}), std::nullopt);
  EXPECT_EQ(FirstDoubtful({}), std::nullopt);
}

TEST(FirstDoubtful, IsOneWhoseWindowsDisagree) {
  EXPECT_EQ(FirstDoubtful({Of(1, 1000, 0.04), Of(4, 900, 0.06), Of(16, 700, 0.3)}), Rows(4));
}

TEST(FirstDoubtful, IsTheSmallerAndThenTheLargerOfTwoOutOfOrder) {
  const Measurement smaller = Of(4, 600);
  const Measurement larger = Of(16, 700);
  EXPECT_EQ(FirstDoubtful({Of(1, 1000), smaller, larger, Of(64, 650)}), Rows(4));
  EXPECT_EQ(FirstDoubtful({Of(1, 1000), Twice(smaller), larger, Of(64, 650)}), Rows(16));
}

TEST(FirstDoubtful, MayBeAStepThatWasMeasuredAlone) {
  Measurement smaller = Of(1, 1000);
  Measurement larger = Of(4, 900);
  smaller.step = Seconds(2e-3);
  larger.step = Seconds(1.98e-3);
  EXPECT_EQ(FirstDoubtful({smaller, larger}), std::nullopt);
  larger.step = Seconds(1.8e-3);
  EXPECT_EQ(FirstDoubtful({smaller, larger}), Rows(1));
}

TEST(FirstDoubtful, AllowsForNoise) {
  EXPECT_EQ(FirstDoubtful({Of(1, 1000), Of(4, 1040), Of(16, 1080)}), std::nullopt);
}

TEST(FirstDoubtful, IsNoneThatWasMadeTwice) {
  EXPECT_EQ(FirstDoubtful({Twice(Of(1, 500, 0.5)), Twice(Of(4, 1000))}), std::nullopt);
}

TEST(BetterFounded, IsTheSecondWhereItsWindowsAgree) {
  EXPECT_EQ(BetterFounded(Of(1, 100, 0.01), Of(1, 200, 0.04)), Twice(Of(1, 200, 0.04)));
}

TEST(BetterFounded, IsOtherwiseTheOneWhoseWindowsDisagreeLess) {
  EXPECT_EQ(BetterFounded(Of(1, 100, 0.2), Of(1, 200, 0.1)).rate, 200);
  EXPECT_EQ(BetterFounded(Of(1, 100, 0.1), Of(1, 200, 0.2)).rate, 100);
  EXPECT_EQ(BetterFounded(Of(1, 100, 0.1), Of(1, 200, 0.2)).times_made, 2);
}

}  // namespace
}  // namespace escan
