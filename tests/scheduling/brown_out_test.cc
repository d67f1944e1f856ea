#include "scheduling/brown_out.h"

#include <gtest/gtest.h>

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class BrownOutTest : public ::testing::Test {
 protected:
  // Every `step` for `time`; how many steps the level made.
  int For(Duration time, double pressure, Duration step = milliseconds(10)) {
    int changes = 0;
    for (const TimePoint end = now_ + time; now_ < end; now_ += step) {
      changes += brown_out_.Update(pressure, now_) ? 1 : 0;
    }
    return changes;
  }

  // Two stages, the last of which has no threshold.
  BrownOut brown_out_{{0.5f, 1.0f}};
  TimePoint now_{seconds(1000)};
};

TEST_F(BrownOutTest, GoesUpAStepAtATimeWhileThereIsMuchPressure) {
  EXPECT_EQ(For(seconds(10), 0.49), 0);
  EXPECT_EQ(For(milliseconds(100), 0.5), 1);
  EXPECT_EQ(brown_out_.level(), 1);
  EXPECT_EQ(For(milliseconds(200), 1.0), 2);
  EXPECT_EQ(For(seconds(10), 1.0), 1) << "no further than it may";
  EXPECT_EQ(brown_out_.level(), BrownOut::kLevels);
  EXPECT_EQ(brown_out_.steps(), 4u);
}

TEST_F(BrownOutTest, ComesDownSlowlyOnceThereIsLittle) {
  For(seconds(1), 1.0);
  EXPECT_EQ(For(milliseconds(4900), 0.2), 0);
  EXPECT_EQ(For(milliseconds(200), 0.2), 1);
  EXPECT_EQ(brown_out_.level(), 3);
  EXPECT_EQ(For(seconds(20), 0.0), 3);
  EXPECT_EQ(brown_out_.level(), 0);
  EXPECT_EQ(For(seconds(20), 0.0), 0);
}

TEST_F(BrownOutTest, StaysInBetweenAndBeginsToWaitAnew) {
  For(milliseconds(200), 1.0);
  ASSERT_EQ(brown_out_.level(), 2);
  EXPECT_EQ(For(seconds(60), 0.3), 0);
  EXPECT_EQ(For(milliseconds(4000), 0.1), 0);
  EXPECT_EQ(For(milliseconds(100), 0.3), 0);
  EXPECT_EQ(For(milliseconds(4900), 0.1), 0) << "five seconds without a break";
  EXPECT_EQ(For(milliseconds(300), 0.1), 1);
}

TEST_F(BrownOutTest, IsLookedAtAgainWhileThresholdsAreLowered) {
  EXPECT_EQ(brown_out_.due(), TimePoint::max());
  brown_out_.Update(1.0, now_);
  EXPECT_EQ(brown_out_.due(), now_ + BrownOut::kBetweenSteps);
}

TEST_F(BrownOutTest, LowersThresholdsByEqualSteps) {
  EXPECT_EQ(brown_out_.Threshold(0, 0.9f), 0.9f);
  brown_out_.Update(1.0, now_);
  EXPECT_FLOAT_EQ(brown_out_.Threshold(0, 0.9f), 0.8f);
  EXPECT_EQ(brown_out_.Threshold(1, 1.0f), 1.0f);
  For(seconds(1), 1.0);
  EXPECT_EQ(brown_out_.Threshold(0, 0.9f), 0.5f);
  EXPECT_EQ(brown_out_.Threshold(0, 0.4f), 0.4f) << "it was set below the lowest";
}

TEST_F(BrownOutTest, KnowsHowMuchTimeTheLatestRequestsHave) {
  EXPECT_EQ(brown_out_.mean_budget(), Duration::zero());
  brown_out_.Admitted(milliseconds(100));
  EXPECT_EQ(brown_out_.mean_budget(), milliseconds(100));
  brown_out_.Admitted(milliseconds(1));
  EXPECT_GT(brown_out_.mean_budget(), milliseconds(97)) << "one hasty client is not all of them";
  for (int i = 0; i < 1000; ++i) brown_out_.Admitted(milliseconds(20));
  EXPECT_LT(brown_out_.mean_budget(), milliseconds(21));
}

}  // namespace
}  // namespace escan
