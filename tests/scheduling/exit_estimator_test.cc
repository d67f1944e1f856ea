#include "scheduling/exit_estimator.h"

#include <gtest/gtest.h>

namespace escan {
namespace {

using std::chrono::seconds;

constexpr TimePoint kStart{seconds(5000)};

TEST(ExitEstimator, CountsWhatExited) {
  ExitEstimator exits(seconds(30));
  exits.Count(true, kStart);
  exits.Count(false, kStart);
  exits.Count(true, kStart + seconds(1));
  exits.Count(true, kStart + seconds(2));
  EXPECT_EQ(exits.estimate().reached, 4u);
  EXPECT_EQ(exits.estimate().exited, 3u);
  EXPECT_DOUBLE_EQ(exits.estimate().ratio(), 0.75);
}

TEST(ExitEstimator, ForgetsWhatIsOlderThanTheWindow) {
  ExitEstimator exits(seconds(32));
  exits.Count(true, kStart);
  exits.Count(false, kStart + seconds(20));
  exits.Roll(kStart + seconds(30));
  EXPECT_EQ(exits.estimate().reached, 2u);
  exits.Roll(kStart + seconds(34));
  EXPECT_EQ(exits.estimate().reached, 1u);
  EXPECT_EQ(exits.estimate().exited, 0u);
  exits.Roll(kStart + seconds(500));
  EXPECT_EQ(exits.estimate().reached, 0u);
}

TEST(ExitEstimator, ForgetsAllWhenReset) {
  ExitEstimator exits(seconds(30));
  exits.Count(true, kStart);
  exits.Reset();
  EXPECT_EQ(exits.estimate().reached, 0u);
  exits.Count(false, kStart);
  EXPECT_EQ(exits.estimate().reached, 1u);
  EXPECT_EQ(exits.estimate().exited, 0u);
  exits.Roll(kStart + seconds(100));
  EXPECT_EQ(exits.estimate().reached, 0u);
}

TEST(ExitEstimator, KeepsTheLastWordDuringAPause) {
  ExitEstimator exits(seconds(30));
  exits.Count(true, kStart);
  EXPECT_EQ(exits.estimate().reached, 1u);
  exits.Count(false, kStart + seconds(1000));
  EXPECT_EQ(exits.estimate().reached, 1u);
  EXPECT_EQ(exits.estimate().exited, 0u);
}

TEST(ExitEstimator, NoSampleIsNoRatio) { EXPECT_DOUBLE_EQ(ExitEstimate{}.ratio(), 0.0); }

}  // namespace
}  // namespace escan
