#include "allocation/step_costs.h"

#include <gtest/gtest.h>

namespace escan {
namespace {

// Powers of ten tell which elements a value is made of.
Profile TwoByTwoByTwo() {
  Profile profile;
  profile.thread_percents = {50, 100};
  profile.client_counts = {1, 5};
  StageCosts& stage = profile.stages.emplace_back();
  stage.buckets = {4, 8};
  stage.step = {{Seconds(1), Seconds(3)}, {Seconds(10), Seconds(30)}};
  stage.device_time = {{{Seconds(1), Seconds(3)}, {Seconds(10), Seconds(30)}},
                       {{Seconds(100), Seconds(300)}, {Seconds(1000), Seconds(3000)}}};
  return profile;
}

TEST(StepCosts, GiveWhatWasMeasured) {
  const Profile profile = TwoByTwoByTwo();
  const StepCosts costs(profile);
  EXPECT_EQ(costs.StepTime(0, 4, 50), Seconds(1));
  EXPECT_EQ(costs.StepTime(0, 8, 100), Seconds(30));
  EXPECT_EQ(costs.DeviceTime(0, 4, 100, 5), Seconds(1000));
  EXPECT_EQ(costs.DeviceTime(0, 8, 50, 1), Seconds(3));
}

TEST(StepCosts, LieBetweenTheSharesAndClientCountsAround) {
  const Profile profile = TwoByTwoByTwo();
  const StepCosts costs(profile);
  EXPECT_DOUBLE_EQ(costs.StepTime(0, 4, 75).count(), 5.5);
  EXPECT_DOUBLE_EQ(costs.DeviceTime(0, 4, 50, 2).count(), 1 + 9 * 0.25);
  EXPECT_DOUBLE_EQ(costs.DeviceTime(0, 8, 75, 3).count(), (3 + 30 + 300 + 3000) / 4.0);
}

TEST(StepCosts, TakeTheNearestBeyondWhatWasMeasured) {
  const Profile profile = TwoByTwoByTwo();
  const StepCosts costs(profile);
  EXPECT_EQ(costs.StepTime(0, 4, 10), Seconds(1));
  EXPECT_EQ(costs.DeviceTime(0, 4, 100, 12), Seconds(1000));
}

TEST(StepCosts, CostAPaddedBatchLikeItsBucket) {
  const Profile profile = TwoByTwoByTwo();
  const StepCosts costs(profile);
  EXPECT_EQ(costs.StepTime(0, 1, 50), Seconds(1));
  EXPECT_EQ(costs.StepTime(0, 5, 50), Seconds(3));
}

TEST(StepCosts, LieBetweenBucketsWhereRowsAreNotPadded) {
  Profile profile = TwoByTwoByTwo();
  profile.padded = false;
  const StepCosts costs(profile);
  EXPECT_EQ(costs.StepTime(0, 1, 50), Seconds(1));
  EXPECT_EQ(costs.StepTime(0, 5, 50), Seconds(1.5));
}

}  // namespace
}  // namespace escan
