#include "allocation/profile_shares.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace escan {
namespace {

using testing::ElementsAre;

// Two shares; a step of the only stage takes 2 s at the first and 1 s at the second.
Profile TwoShares() {
  Profile profile;
  profile.thread_percents = {30, 100};
  StageCosts& stage = profile.stages.emplace_back();
  stage.buckets = {1};
  stage.step = {{Seconds(2)}, {Seconds(1)}};
  stage.steady_step = stage.step;
  stage.device_time = {{{Seconds(2)}}, {{Seconds(1)}}};
  stage.way = {"slow", "fast"};
  return profile;
}

TEST(KeepShares, LeavesOutOneWithAllThatIsKnownOfIt) {
  const Profile kept = KeepShares(TwoShares(), [](int percent) { return percent != 30; });
  EXPECT_THAT(kept.thread_percents, ElementsAre(100));
  const StageCosts& stage = kept.stages.front();
  EXPECT_THAT(stage.step, ElementsAre(ElementsAre(Seconds(1))));
  EXPECT_THAT(stage.steady_step, ElementsAre(ElementsAre(Seconds(1))));
  EXPECT_THAT(stage.device_time, ElementsAre(ElementsAre(ElementsAre(Seconds(1)))));
  EXPECT_THAT(stage.way, ElementsAre("fast"));
}

TEST(KeepShares, KeepsTheWholeDeviceAlways) {
  const Profile kept = KeepShares(TwoShares(), [](int) { return false; });
  EXPECT_THAT(kept.thread_percents, ElementsAre(100));
}

TEST(KeepShares, DoesWithoutWaysInProfilesOfBefore) {
  Profile profile = TwoShares();
  profile.stages.front().way.clear();
  const Profile kept = KeepShares(profile, [](int) { return true; });
  EXPECT_THAT(kept.thread_percents, ElementsAre(30, 100));
  EXPECT_TRUE(kept.stages.front().way.empty());
}

}  // namespace
}  // namespace escan
