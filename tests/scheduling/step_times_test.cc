#include "scheduling/step_times.h"

#include <gtest/gtest.h>

namespace escan {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{seconds(5000)};

CascadeSpec TwoStages() {
  CascadeSpec cascade;
  cascade.stages.resize(2);
  cascade.stages[0].buckets = {1, 4, 16};
  cascade.stages[1].buckets = {8};
  return cascade;
}

TEST(StepTimes, AreUnknownUntilMeasured) {
  StepTimes times(TwoStages());
  EXPECT_FALSE(times.Recent(0, 1, kStart));
  EXPECT_FALSE(times.LongestOf(0, 1));
  EXPECT_EQ(times.means(0).size(), 3u);
  EXPECT_EQ(times.means(0)[0], Duration::zero());
}

TEST(StepTimes, BelongToTheSmallestBucketThatHoldsTheRows) {
  StepTimes times(TwoStages());
  times.Add(0, 3, milliseconds(5), kStart);
  EXPECT_EQ(times.Recent(0, 2, kStart), milliseconds(5));
  EXPECT_EQ(times.Recent(0, 4, kStart), milliseconds(5));
  EXPECT_FALSE(times.Recent(0, 1, kStart));
  EXPECT_FALSE(times.Recent(0, 5, kStart));
  EXPECT_FALSE(times.Recent(1, 3, kStart));
  EXPECT_EQ(times.means(0)[1], milliseconds(5));
  times.Add(1, 9, milliseconds(7), kStart);
  EXPECT_EQ(times.Recent(1, 256, kStart), milliseconds(7));
}

TEST(StepTimes, FollowTheMean) {
  StepTimes times(TwoStages());
  times.Add(0, 1, milliseconds(2), kStart);
  times.Add(0, 1, milliseconds(4), kStart);
  EXPECT_EQ(times.Recent(0, 1, kStart), milliseconds(3));
  for (int i = 0; i < 200; ++i) times.Add(0, 1, milliseconds(10), kStart);
  EXPECT_GT(times.Recent(0, 1, kStart), milliseconds(9));
}

TEST(StepTimes, TheTailGrowsWithTheSpread) {
  StepTimes times(TwoStages());
  for (int i = 0; i < 100; ++i) times.Add(0, 1, milliseconds(5), kStart);
  EXPECT_NEAR(static_cast<double>(times.LongestOf(0, 1)->p99.count()), 5e6, 1e3);
  for (int i = 0; i < 100; ++i) times.Add(1, 1, milliseconds(i % 2 == 0 ? 4 : 6), kStart);
  EXPECT_GT(times.LongestOf(1, 1)->p99, milliseconds(6));
  EXPECT_LT(times.LongestOf(1, 1)->p99, milliseconds(9));
}

TEST(StepTimes, AnOldEstimateRefusesNobody) {
  StepTimes times(TwoStages());
  times.Add(0, 1, seconds(2), kStart);
  EXPECT_TRUE(times.Recent(0, 1, kStart + StepTimes::kMemory));
  EXPECT_FALSE(times.Recent(0, 1, kStart + StepTimes::kMemory + Duration(1)));
  EXPECT_EQ(times.LongestOf(0, 1)->p99, seconds(2));
}

TEST(StepTimes, StartAnewAfterAPause) {
  StepTimes times(TwoStages());
  times.Add(0, 1, seconds(2), kStart);
  times.Add(0, 1, milliseconds(3), kStart + seconds(5));
  EXPECT_EQ(times.Recent(0, 1, kStart + seconds(5)), milliseconds(3));
}

TEST(StepTimes, AreCertainOfTheLongestAfterSixteenAndThroughPauses) {
  StepTimes times(TwoStages());
  TimePoint now = kStart;
  for (int i = 0; i < 16; ++i) {
    times.Add(0, 1, milliseconds(i % 2 == 0 ? 4 : 6), now);
    EXPECT_EQ(times.LongestOf(0, 1)->certain, i == 15);
  }
  const Duration before = times.LongestOf(0, 1)->p99;
  EXPECT_GT(before, milliseconds(6));
  now += std::chrono::hours(1);
  times.Add(0, 1, milliseconds(1), now);
  EXPECT_TRUE(times.LongestOf(0, 1)->certain);
  EXPECT_GT(times.LongestOf(0, 1)->p99, milliseconds(5)) << "one step says little of the longest";
  EXPECT_EQ(times.Recent(0, 1, now), milliseconds(1));
}

}  // namespace
}  // namespace escan
