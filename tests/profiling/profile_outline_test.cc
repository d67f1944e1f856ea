#include "profiling/profile_outline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config_folder.h"
#include "profiling/profiled_cascade.h"

namespace escan {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const Device kGpu{.kind = Device::Kind::kGpu,
                  .name = "H100",
                  .uuid = "GPU-1",
                  .multiprocessors = 132,
                  .memory_bytes = 80};

std::vector<int> SharesOfCpus(int cpus) {
  return ProfileOutline(ProfiledCascade(), {.cpus = cpus}, {}).profile.thread_percents;
}

TEST(ProfileOutline, TakesSharesOfACpuThatHaveDifferentCores) {
  EXPECT_THAT(SharesOfCpus(1), ElementsAre(100));
  EXPECT_THAT(SharesOfCpus(2), ElementsAre(50, 100));
  EXPECT_THAT(SharesOfCpus(3), ElementsAre(50, 100));
  EXPECT_THAT(SharesOfCpus(4), ElementsAre(25, 50, 100));
  EXPECT_THAT(SharesOfCpus(16), ElementsAre(25, 50, 100));
}

TEST(ProfileOutline, SaysOfAGpuWhatIsMeasuredThere) {
  const Profile profile = ProfileOutline(ProfiledCascade(), {.device = kGpu}, {}).profile;
  EXPECT_THAT(profile.thread_percents, ElementsAre(30, 50, 100));
  EXPECT_THAT(profile.client_counts, ElementsAre(1, 2, 4, 8));
  EXPECT_TRUE(profile.padded);
  EXPECT_EQ(profile.device_memory_bytes, 80u);
}

TEST(ProfileOutline, CountsTheBytesOfEachStagesInputs) {
  const Profile profile = ProfileOutline(ProfiledCascade(), {}, {}).profile;
  EXPECT_FALSE(profile.padded);
  ASSERT_EQ(profile.stages.size(), 2u);
  EXPECT_EQ(profile.stages[0].input_bytes, 4u);
  EXPECT_EQ(profile.stages[1].input_bytes, 4u + 8u);  // the request's and the first stage's
  EXPECT_THAT(profile.stages[1].buckets, ElementsAre(1, 8));
}

TEST(KeyOf, LeavesOutWhatDiffersBetweenEqualDevices) {
  const auto key = KeyOf(ProfiledCascade(), {.device = kGpu, .driver = "570", .torch = "2.11"});
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(key->device,
            (Device{.kind = Device::Kind::kGpu, .name = "H100", .multiprocessors = 132}));
  EXPECT_EQ(key->driver, "570");
}

TEST(KeyOf, NamesNeitherDriverNorTorchWhereTheyPlayNoPart) {
  const auto key = KeyOf(ProfiledCascade(), {.driver = "570", .torch = "2.11"});
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_THAT(key->driver, IsEmpty());
  EXPECT_THAT(key->torch, IsEmpty());
  EXPECT_THAT(key->stages[0].model_hash, IsEmpty());
}

TEST(KeyOf, TellsModelsApartByTheirContents) {
  const ConfigFolder folder;
  CascadeSpec cascade = ProfiledCascade();
  StageSpec& stage = cascade.stages[1];
  stage.executor = ExecutorKind::kTorchScript;
  stage.model = folder.path() / "model.pt";
  const ProfilingSite site{.torch = "2.11"};
  EXPECT_EQ(std::string(KeyOf(cascade, site).status().message()),
            "cannot read " + stage.model.string());
  folder.Write("model.pt", "one");
  const auto one = KeyOf(cascade, site);
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_THAT(one->stages[1].model_hash, testing::MatchesRegex("fnv1a64:[0-9a-f]{16}"));
  EXPECT_EQ(one->torch, "2.11");
  folder.Write("model.pt", "two");
  EXPECT_NE(KeyOf(cascade, site)->stages[1].model_hash, one->stages[1].model_hash);
}

}  // namespace
}  // namespace escan
