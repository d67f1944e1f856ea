#include "contracts/profile_key.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace escan {
namespace {

ProfileKey Measured() {
  return {.device = {.kind = Device::Kind::kGpu, .name = "H100", .multiprocessors = 132},
          .driver = "570.86",
          .torch = "2.11.0",
          .stages = {{.name = "small", .model_hash = "fnv1a64:11"},
                     {.name = "large", .model_hash = "fnv1a64:22"}}};
}

std::optional<std::string> ReasonAfter(void (*change)(ProfileKey*)) {
  ProfileKey present = Measured();
  change(&present);
  return StaleReason(Measured(), present);
}

TEST(StaleReason, IsNoneUnderAnEqualKey) {
  EXPECT_EQ(StaleReason(Measured(), Measured()), std::nullopt);
}

TEST(StaleReason, AnEqualDeviceMayBeAnotherOne) {
  EXPECT_EQ(ReasonAfter([](ProfileKey* key) { key->device.uuid = "GPU-2"; }), std::nullopt);
}

TEST(StaleReason, NamesWhatDiffers) {
  EXPECT_EQ(ReasonAfter([](ProfileKey* key) { key->device.name = "A100"; }),
            "device: it was measured with H100, and this is A100");
  EXPECT_EQ(ReasonAfter([](ProfileKey* key) { key->device.multiprocessors = 66; }),
            "multiprocessors: it was measured with 132, and this is 66");
  EXPECT_EQ(ReasonAfter([](ProfileKey* key) { key->driver = "575.51"; }),
            "driver: it was measured with 570.86, and this is 575.51");
  EXPECT_EQ(ReasonAfter([](ProfileKey* key) { key->torch = ""; }),
            "torch: it was measured with 2.11.0, and this is none");
  EXPECT_EQ(ReasonAfter([](ProfileKey* key) { key->stages.pop_back(); }),
            "stages: it was measured with small, large, and this is small");
  EXPECT_EQ(ReasonAfter([](ProfileKey* key) { key->stages[1].model_hash = "fnv1a64:33"; }),
            "stage large: model: it was measured with fnv1a64:22, and this is fnv1a64:33");
  EXPECT_EQ(ReasonAfter([](ProfileKey* key) { key->stages[0].gpu.precision = Precision::kFp16; }),
            "stage small: precision: it was measured with fp32, and this is fp16");
  EXPECT_EQ(ReasonAfter([](ProfileKey* key) { key->stages[0].gpu.execution = Execution::kEager; }),
            "stage small: execution: it was measured with auto, and this is eager");
  EXPECT_EQ(
      ReasonAfter([](ProfileKey* key) { key->stages[0].gpu.layout = MemoryLayout::kContiguous; }),
      "stage small: layout: it was measured with auto, and this is contiguous");
}

TEST(StaleReason, IsTheFirstOfSeveral) {
  EXPECT_EQ(ReasonAfter([](ProfileKey* key) { *key = {}; }),
            "device: it was measured with H100, and this is cpu");
}

}  // namespace
}  // namespace escan
