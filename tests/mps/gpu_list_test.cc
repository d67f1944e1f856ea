#include "mps/gpu_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mps/nvml.h"

namespace escan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Device kH100 = {Device::Kind::kGpu, "NVIDIA H100 80GB HBM3", "GPU-11111111-aaaa", 132,
                      85520809984};
const Device kA100 = {Device::Kind::kGpu, "NVIDIA A100-SXM4-40GB", "GPU-11111111-bbbb", 108,
                      42949672960};
const Device kUnknown = {Device::Kind::kGpu, "NVIDIA Something", "GPU-22222222-cccc", 0, 1024};

GpuList Listed(const std::optional<std::string>& visible) {
  return ListGpus(visible, FAKE_NVML_GOOD);
}

TEST(GpuList, DescribesTheGpusInNvmlsOrderAndNamesTheLost) {
  const GpuList list = Listed(std::nullopt);
  EXPECT_THAT(list.gpus, ElementsAre(kH100, kA100, kUnknown));
  EXPECT_EQ(list.driver_version, "580.159.04");
  EXPECT_THAT(list.missing, ElementsAre("GPU 1: nvmlDeviceGetHandleByIndex_v2: GPU is lost"));
}

TEST(GpuList, IsEmptyWithoutADriverAndNothingIsAmiss) {
  const GpuList list = ListGpus(std::nullopt, "libnvidia-ml-of-no-machine.so.1");
  EXPECT_THAT(list.gpus, IsEmpty());
  EXPECT_THAT(list.missing, IsEmpty());
  EXPECT_EQ(list.driver_version, "");
}

TEST(GpuList, SaysWhyALibraryCannotBeUsed) {
  EXPECT_THAT(ListGpus(std::nullopt, FAKE_NVML_UNINITIALISABLE).missing,
              ElementsAre(HasSubstr("nvmlInit_v2: Driver/library version mismatch")));
  const GpuList list = ListGpus(std::nullopt, FAKE_NVML_INCOMPLETE);
  EXPECT_THAT(list.gpus, IsEmpty());
  EXPECT_THAT(list.missing, ElementsAre(HasSubstr("has no nvmlDeviceGetName")));
}

TEST(GpuList, DoesNotGuessMultiprocessorsThatADriverCannotTell) {
  const GpuList list = ListGpus(std::nullopt, FAKE_NVML_OLD);
  ASSERT_EQ(list.gpus.size(), 3u);
  EXPECT_EQ(list.gpus[0].multiprocessors, 0);
  EXPECT_EQ(list.gpus[0].uuid, kH100.uuid);
}

TEST(GpuList, SelectsByIndexAndUuidInTheOrderAsked) {
  EXPECT_THAT(Listed("1,0").gpus, ElementsAre(kA100, kH100));
  EXPECT_THAT(Listed(" GPU-22222222-cccc , 0").gpus, ElementsAre(kUnknown, kH100));
  EXPECT_THAT(Listed("GPU-2").gpus, ElementsAre(kUnknown));
}

TEST(GpuList, EndsAtTheFirstEntryThatNamesNoGpu) {
  for (const char* entry : {"7", "-1", "GPU-1", "GPU-3", "MIG-11111111", "0", "all", ""}) {
    const GpuList list = Listed("0," + std::string(entry) + ",1");
    EXPECT_THAT(list.gpus, ElementsAre(kH100)) << entry;
    EXPECT_THAT(list.missing.back(), HasSubstr('"' + std::string(entry) + '"'));
  }
}

TEST(GpuList, IsEmptyWhereNoGpuIsVisible) {
  EXPECT_THAT(Listed("").gpus, IsEmpty());
  EXPECT_THAT(Listed("-1").gpus, IsEmpty());
}

TEST(Nvml, KnowsTheCoresOfAMultiprocessor) {
  EXPECT_EQ(MultiprocessorsOf(5120, 7, 0), 80);    // V100
  EXPECT_EQ(MultiprocessorsOf(6912, 8, 0), 108);   // A100
  EXPECT_EQ(MultiprocessorsOf(10240, 8, 6), 80);   // A10-like
  EXPECT_EQ(MultiprocessorsOf(16384, 8, 9), 128);  // RTX 4090
  EXPECT_EQ(MultiprocessorsOf(16896, 9, 0), 132);  // H100 SXM
  EXPECT_EQ(MultiprocessorsOf(3584, 6, 0), 0);
}

}  // namespace
}  // namespace escan
