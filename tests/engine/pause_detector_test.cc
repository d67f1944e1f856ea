#include "engine/pause_detector.h"

#include <gtest/gtest.h>

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart = TimePoint(seconds(100));

TEST(PauseDetector, TimeWithoutSleepIsAPauseWhenItIsLong) {
  PauseDetector detector(kStart);
  EXPECT_FALSE(detector.Paused(TimePoint::min(), kStart + milliseconds(900)));
  EXPECT_TRUE(detector.Paused(TimePoint::min(), kStart + seconds(3)));
}

TEST(PauseDetector, SleepThatWasMeantIsNone) {
  PauseDetector detector(kStart);
  EXPECT_FALSE(detector.Paused(kStart + seconds(5), kStart + milliseconds(5010)));
}

TEST(PauseDetector, WakingUpLongAfterTheMeantTimeIsOne) {
  PauseDetector detector(kStart);
  EXPECT_TRUE(detector.Paused(kStart + seconds(1), kStart + seconds(7)));
}

// The process was stopped after it had decided until when to sleep, and before it slept.
TEST(PauseDetector, TheTimeBeforeTheSleepCounts) {
  PauseDetector detector(kStart);
  EXPECT_TRUE(detector.Paused(kStart + milliseconds(2), kStart + seconds(6)));
  EXPECT_FALSE(detector.Paused(TimePoint::min(), kStart + seconds(6)));
}

TEST(PauseDetector, SleepWithoutAnEndIsNone) {
  PauseDetector detector(kStart);
  EXPECT_FALSE(detector.Paused(TimePoint::max(), kStart + seconds(60)));
}

}  // namespace
}  // namespace escan
