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
  EXPECT_EQ(exits.windows().window.reached, 4u);
  EXPECT_EQ(exits.windows().window.exited, 3u);
  EXPECT_DOUBLE_EQ(exits.windows().window.ratio(), 0.75);
}

TEST(ExitEstimator, ForgetsWhatIsOlderThanTheWindow) {
  ExitEstimator exits(seconds(32));
  exits.Count(true, kStart);
  exits.Count(false, kStart + seconds(20));
  exits.Roll(kStart + seconds(30));
  EXPECT_EQ(exits.windows().window.reached, 2u);
  exits.Roll(kStart + seconds(34));
  EXPECT_EQ(exits.windows().window.reached, 1u);
  EXPECT_EQ(exits.windows().window.exited, 0u);
  exits.Roll(kStart + seconds(500));
  EXPECT_EQ(exits.windows().window.reached, 0u);
}

TEST(ExitEstimator, ForgetsAllWhenReset) {
  ExitEstimator exits(seconds(30));
  exits.Count(true, kStart);
  exits.Reset();
  EXPECT_EQ(exits.windows().window.reached, 0u);
  exits.Count(false, kStart);
  EXPECT_EQ(exits.windows().window.reached, 1u);
  EXPECT_EQ(exits.windows().window.exited, 0u);
  exits.Roll(kStart + seconds(100));
  EXPECT_EQ(exits.windows().window.reached, 0u);
}

TEST(ExitEstimator, KeepsTheLastWordDuringAPause) {
  ExitEstimator exits(seconds(30));
  exits.Count(true, kStart);
  EXPECT_EQ(exits.windows().window.reached, 1u);
  exits.Count(false, kStart + seconds(1000));
  EXPECT_EQ(exits.windows().window.reached, 1u);
  EXPECT_EQ(exits.windows().window.exited, 0u);
}

// 100 samples a second, of which so many leave.
TimePoint CountSecond(int leaving, TimePoint now, ExitEstimator* exits) {
  for (int i = 0; i < 100; ++i) exits->Count(i < leaving, now + std::chrono::milliseconds(10 * i));
  return now + seconds(1);
}

TEST(ExitEstimator, BelievesTheLastSecondsOnceTheyContradict) {
  ExitEstimator exits(seconds(32));
  TimePoint now = kStart;
  for (int i = 0; i < 32; ++i) now = CountSecond(70, now, &exits);
  EXPECT_NEAR(exits.windows().estimate().ratio(), 0.7, 1e-9);
  EXPECT_EQ(exits.windows().estimate().reached, 3200u) << "the long window";
  for (int i = 0; i < 4; ++i) now = CountSecond(30, now, &exits);
  EXPECT_NEAR(exits.windows().estimate().ratio(), 0.3, 1e-9);
  EXPECT_EQ(exits.windows().estimate().reached, 400u) << "the short one";
  for (int i = 0; i < 32; ++i) now = CountSecond(30, now, &exits);
  EXPECT_EQ(exits.windows().estimate().reached, 3200u) << "they agree again";
}

TEST(ExitEstimator, AFewSamplesContradictNothing) {
  ExitEstimator exits(seconds(32));
  TimePoint now = kStart;
  for (int i = 0; i < 20; ++i) now = CountSecond(70, now, &exits);
  now += seconds(5);
  for (int i = 0; i < 3; ++i) exits.Count(false, now);
  EXPECT_EQ(exits.windows().recent.reached, 3u);
  EXPECT_GT(exits.windows().estimate().ratio(), 0.69);
}

TEST(ExitEstimator, NoSampleIsNoRatio) { EXPECT_DOUBLE_EQ(ExitEstimate{}.ratio(), 0.0); }

}  // namespace
}  // namespace escan
