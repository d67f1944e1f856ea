#include "config/profile_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "config/config_folder.h"

namespace escan {
namespace {

using std::chrono::microseconds;

CascadeSpec SmallAndLarge() {
  CascadeSpec cascade;
  cascade.name = "digits";
  cascade.stages.resize(2);
  cascade.stages[0].name = "small";
  cascade.stages[0].buckets = {1, 8};
  cascade.stages[1].name = "large";
  cascade.stages[1].buckets = {4};
  return cascade;
}

// In the form that ToJson gives but for line breaks.
constexpr char kProfile[] = R"({
  "device": {"kind": "gpu", "name": "H100", "multiprocessors": 132, "memory_bytes": 85520809984},
  "driver": "570.86.15",
  "torch": "2.11.0",
  "thread_percents": [30, 100],
  "client_counts": [1, 4],
  "padded": true,
  "knee": 3.5,
  "bus_bytes_per_s": 2.5e10,
  "context_bytes": 400000000,
  "stages": [
    {"name": "small", "model": "fnv1a64:11", "precision": "fp16", "layout": "channels_last",
     "execution": "graph", "buckets": [1, 8],
     "step_us": [[120.5, 240], [100, 200]],
     "device_time_us": [[[60, 120], [50, 110]], [[70, 130], [65, 125]]],
     "input_bytes": 784, "memory_bytes": 1000, "steady_step_us": [[115, 235], [110, 190]]},
    {"name": "large", "model": "fnv1a64:22", "buckets": [4],
     "step_us": [[900], [800]],
     "device_time_us": [[[700], [600]], [[750], [650]]]}
  ]
}
)";

class ProfileFile : public testing::Test {
 protected:
  absl::StatusOr<MeasuredProfile> Load(const std::string& json) const {
    return LoadProfile(folder_.Write("profile.json", json), SmallAndLarge());
  }

  // What is wrong with the profile above after a change, without the name of its file.
  std::string MistakeAfter(const std::string& from, const std::string& to) const {
    const std::string changed = absl::StrReplaceAll(kProfile, {{from, to}});
    EXPECT_NE(changed, kProfile) << from;
    const absl::Status status = Load(changed).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << from;
    return absl::StrReplaceAll(std::string(status.message()),
                               {{(folder_.path() / "profile.json").string() + ":", ""}});
  }

  const ConfigFolder folder_;
};

TEST_F(ProfileFile, HoldsTimesByShareClientsAndBucket) {
  const absl::StatusOr<MeasuredProfile> measured = Load(kProfile);
  ASSERT_TRUE(measured.ok()) << measured.status();
  const Profile& profile = measured->profile;
  EXPECT_EQ(profile.thread_percents, (std::vector<int>{30, 100}));
  EXPECT_EQ(profile.client_counts, (std::vector<int>{1, 4}));
  EXPECT_TRUE(profile.padded);
  EXPECT_EQ(profile.knee, 3.5);
  EXPECT_EQ(profile.bus_bytes_per_second, 2.5e10);
  EXPECT_EQ(profile.device_memory_bytes, 85520809984u);
  EXPECT_EQ(profile.context_bytes, 400000000u);
  ASSERT_EQ(profile.stages.size(), 2u);
  const StageCosts& small = profile.stages[0];
  EXPECT_EQ(small.buckets, (std::vector<int>{1, 8}));
  EXPECT_DOUBLE_EQ(small.step[0][0].count(), 120.5e-6);
  EXPECT_DOUBLE_EQ(small.step[1][1].count(), 200e-6);
  EXPECT_DOUBLE_EQ(small.steady_step[1][0].count(), 110e-6);
  EXPECT_EQ(profile.stages[1].steady_step, profile.stages[1].step) << "the default";
  EXPECT_DOUBLE_EQ(small.device_time[0][1][0].count(), 50e-6);
  EXPECT_DOUBLE_EQ(small.device_time[1][0][1].count(), 130e-6);
  EXPECT_EQ(small.input_bytes, 784u);
  EXPECT_EQ(small.memory_bytes, 1000u);
  EXPECT_DOUBLE_EQ(profile.stages[1].device_time[1][1][0].count(), 650e-6);
}

TEST_F(ProfileFile, HoldsUnderWhatItWasMeasured) {
  const absl::StatusOr<MeasuredProfile> measured = Load(kProfile);
  ASSERT_TRUE(measured.ok()) << measured.status();
  const ProfileKey expected = {
      .device = {.kind = Device::Kind::kGpu, .name = "H100", .multiprocessors = 132},
      .driver = "570.86.15",
      .torch = "2.11.0",
      .stages = {{.name = "small",
                  .model_hash = "fnv1a64:11",
                  .gpu = {Precision::kFp16, MemoryLayout::kChannelsLast, Execution::kGraph}},
                 {.name = "large", .model_hash = "fnv1a64:22"}}};
  EXPECT_EQ(measured->key, expected);
}

TEST_F(ProfileFile, IsReadBackAsItWasWritten) {
  const absl::StatusOr<MeasuredProfile> first = Load(kProfile);
  ASSERT_TRUE(first.ok()) << first.status();
  const std::string json = ToJson(*first);
  const absl::StatusOr<MeasuredProfile> second = Load(json);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->key, first->key);
  EXPECT_EQ(second->profile.stages[0].device_time, first->profile.stages[0].device_time);
  EXPECT_EQ(ToJson(*second), json);
}

TEST_F(ProfileFile, IsWrittenToTheNanosecond) {
  absl::StatusOr<MeasuredProfile> measured = Load(kProfile);
  ASSERT_TRUE(measured.ok()) << measured.status();
  measured->profile.stages[0].step[0][0] = Seconds(0.123456789e-3 + 4e-13);
  EXPECT_NE(ToJson(*measured).find("123.457"), std::string::npos);
}

TEST_F(ProfileFile, MayBeOfTheCpuAndLeaveOutWhatOnlyGpusHave) {
  const absl::StatusOr<MeasuredProfile> measured = Load(absl::StrReplaceAll(
      kProfile,
      {{R"({"kind": "gpu", "name": "H100", "multiprocessors": 132, "memory_bytes": 85520809984})",
        R"({"kind": "cpu", "name": "cpu"})"},
       {R"(  "driver": "570.86.15",)", ""},
       {R"(  "bus_bytes_per_s": 2.5e10,)", ""},
       {R"(  "context_bytes": 400000000,)", ""}}));
  ASSERT_TRUE(measured.ok()) << measured.status();
  EXPECT_EQ(measured->key.device, Device());
  EXPECT_EQ(measured->key.driver, "");
  EXPECT_EQ(measured->profile.bus_bytes_per_second, 0);
}

TEST_F(ProfileFile, TellsItsDeviceWithoutACascade) {
  const absl::StatusOr<Device> device = LoadProfiledDevice(folder_.Write("profile.json", kProfile));
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ(*device, (Device{.kind = Device::Kind::kGpu, .name = "H100", .multiprocessors = 132}));
}

TEST_F(ProfileFile, IsNamedWhenItDoesNotExist) {
  const std::filesystem::path file = folder_.path() / "none.json";
  const absl::Status missing = absl::NotFoundError("there is no file " + file.string());
  EXPECT_EQ(LoadProfile(file, SmallAndLarge()).status(), missing);
  EXPECT_EQ(LoadProfiledDevice(file).status(), missing);
}

TEST_F(ProfileFile, IsIndentedAsItsAuthorLikes) {
  EXPECT_TRUE(Load(absl::StrReplaceAll(kProfile, {{"  ", "\t"}})).ok());
  EXPECT_TRUE(Load(absl::StrReplaceAll(kProfile, {{"\n", ""}})).ok());
}

TEST_F(ProfileFile, NamesEveryMistakeWithItsLineAndKey) {
  EXPECT_EQ(MistakeAfter(R"("kind": "gpu")", R"("kind": "tpu")"),
            "2: device.kind: \"tpu\" is not one of cpu, gpu");
  EXPECT_EQ(MistakeAfter("\"knee\"", "\"knees\""),
            "1: knee: missing\n"
            "8: knees: unknown key, expected one of device, driver, torch, thread_percents, "
            "refused_shares, client_counts, padded, knee, bus_bytes_per_s, context_bytes, stages");
  EXPECT_EQ(MistakeAfter("3.5", "0.5"), "8: knee: 0.5 is not in [1, 100]");
  EXPECT_EQ(MistakeAfter("true", "1"), "7: padded: expected true or false, found 1");
  EXPECT_EQ(MistakeAfter("2.5e10", "-1"), "9: bus_bytes_per_s: -1 is not in [0, 1e+15]");
  EXPECT_EQ(MistakeAfter("784", "7.5"),
            "16: stages[0].input_bytes: expected an integer in [0, 1125899906842624], found 7.5");
}

TEST_F(ProfileFile, SharesAscendTo100AndClientCountsFrom1) {
  EXPECT_EQ(MistakeAfter("[30, 100]", "[100, 30]"),
            "5: thread_percents[1]: 30 follows 100, expected an ascending list\n"
            "5: thread_percents: the last is 30, expected 100");
  EXPECT_EQ(MistakeAfter("[30, 100]", "[30, 90]"),
            "5: thread_percents: the last is 90, expected 100");
  EXPECT_EQ(MistakeAfter("[1, 4]", "[2, 4]"), "6: client_counts: the first is 2, expected 1");
  EXPECT_EQ(MistakeAfter("[1, 4]", "[]"), "6: client_counts: has 0 elements, expected 1 to 64");
}

TEST_F(ProfileFile, TablesHaveAnElementForEachShareClientCountAndBucket) {
  EXPECT_EQ(MistakeAfter("[[120.5, 240], [100, 200]]", "[[120.5, 240]]"),
            "14: stages[0].step_us: has 1 elements, expected 2");
  EXPECT_EQ(MistakeAfter("[100, 200]", "[100, 200, 300]"),
            "14: stages[0].step_us[1]: has 3 elements, expected 2");
  EXPECT_EQ(MistakeAfter("[[60, 120], [50, 110]]", "[[60, 120]]"),
            "15: stages[0].device_time_us[0]: has 1 elements, expected 2");
  EXPECT_EQ(MistakeAfter("[50, 110]", "[50]"),
            "15: stages[0].device_time_us[0][1]: has 1 elements, expected 2");
  EXPECT_EQ(MistakeAfter("[50, 110]", "50"),
            "15: stages[0].device_time_us[0][1]: expected a list, found 50");
}

TEST_F(ProfileFile, TimesArePositiveNumbers) {
  EXPECT_EQ(MistakeAfter("120.5", "-3"),
            "14: stages[0].step_us[0][0]: -3 is not in [0.001, 1e+09]");
  EXPECT_EQ(MistakeAfter("120.5", "null"),
            "14: stages[0].step_us[0][0]: expected a finite number, found nothing");
  EXPECT_EQ(MistakeAfter("[65, 125]", R"([65, "125"])"),
            "15: stages[0].device_time_us[1][1][1]: expected a finite number, found \"125\"");
}

TEST_F(ProfileFile, StagesAreThoseOfTheCascade) {
  EXPECT_EQ(MistakeAfter(R"("name": "large")", R"("name": "medium")"),
            "17: stages[1].name: medium is not the cascade's stage, expected large");
  EXPECT_EQ(MistakeAfter("[1, 8]", "[1, 16]"),
            "13: stages[0].buckets: [1, 16] are not those of stage small, expected [1, 8]");
  EXPECT_EQ(MistakeAfter(R"(    {"name": "large")", R"(    {"model": "large"}, {"name": "large")"),
            "11: stages: has 3 elements, expected 2");
}

TEST_F(ProfileFile, IsNotAnyText) {
  EXPECT_EQ(MistakeAfter(kProfile, "[]"), "1: expected a map, found a list");
  EXPECT_TRUE(MistakeAfter("3.5,", "3.5]").starts_with("8: not YAML: "));
}

}  // namespace
}  // namespace escan
