#include "server/commands/profile_notice.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "config/profile_file.h"
#include "profiling/profile_outline.h"
#include "server/test_daemon.h"

namespace escan {
namespace {

class ProfileNoticeTest : public testing::Test {
 protected:
  ProfileNoticeTest() : cascade_(TestConfig(folder_).cascades.front()) {
    cascade_.plan_is_auto = true;
    cascade_.profile = folder_.path() / "profile.json";
  }

  // A profile with made-up times, under the key of a site.
  void WriteProfile(const ProfilingSite& site) const {
    MeasuredProfile measured =
        ProfileOutline(cascade_.spec, site, KeyOf(cascade_.spec, site).value());
    for (StageCosts& costs : measured.profile.stages) {
      const std::vector<Seconds> times(costs.buckets.size(), Seconds(1e-3));
      costs.step.assign(measured.profile.thread_percents.size(), times);
      costs.steady_step = costs.step;
      costs.device_time.assign(
          costs.step.size(),
          std::vector<std::vector<Seconds>>(measured.profile.client_counts.size(), times));
    }
    std::ofstream(cascade_.profile) << ToJson(measured);
  }

  const TemporaryFolder folder_;
  CascadeConfig cascade_;
};

TEST_F(ProfileNoticeTest, ThereIsNoneOfAProfileThatHolds) {
  WriteProfile({});
  const CheckedProfile checked = CheckProfile(cascade_, {});
  EXPECT_FALSE(checked.notice.has_value());
  ASSERT_TRUE(checked.profile.has_value());
  EXPECT_EQ(checked.profile->stages.size(), 2u);
}

TEST_F(ProfileNoticeTest, AnAutomaticPlanLacksAProfile) {
  const auto missing = CheckProfile(cascade_, {}).notice;
  ASSERT_TRUE(missing.has_value());
  EXPECT_FALSE(missing->warning);
  EXPECT_EQ(missing->reason, "there is no " + cascade_.profile.string());
  cascade_.profile.clear();
  EXPECT_EQ(CheckProfile(cascade_, {}).notice->reason, "the configuration names no profile");
}

TEST_F(ProfileNoticeTest, AChosenPlanLacksNothing) {
  cascade_.plan_is_auto = false;
  EXPECT_FALSE(CheckProfile(cascade_, {}).notice.has_value());
  cascade_.profile.clear();
  EXPECT_FALSE(CheckProfile(cascade_, {}).notice.has_value());
}

TEST_F(ProfileNoticeTest, WarnsOfAProfileThatIsStale) {
  WriteProfile({.device = {.name = "another"}});
  const auto stale = CheckProfile(cascade_, {}).notice;
  ASSERT_TRUE(stale.has_value());
  EXPECT_TRUE(stale->warning);
  EXPECT_FALSE(CheckProfile(cascade_, {}).profile.has_value());
  EXPECT_EQ(stale->reason,
            cascade_.profile.string() + ": device: it was measured with another, and this is cpu");
}

TEST_F(ProfileNoticeTest, WarnsOfAFileThatIsNoProfile) {
  std::ofstream(cascade_.profile) << "{}\n";
  const auto wrong = CheckProfile(cascade_, {}).notice;
  ASSERT_TRUE(wrong.has_value());
  EXPECT_TRUE(wrong->warning);
  EXPECT_NE(wrong->reason.find("profile.json:1: "), std::string::npos) << wrong->reason;
}

}  // namespace
}  // namespace escan
