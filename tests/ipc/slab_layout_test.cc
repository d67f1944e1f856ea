#include "ipc/slab_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace escan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TensorSpec Bytes(std::vector<int64_t> shape) {
  return {.name = "t", .datatype = Datatype::kUint8, .shape = std::move(shape), .range = {}};
}

CascadeSpec Cascade(std::vector<TensorSpec> inputs, std::vector<std::vector<TensorSpec>> outputs,
                    int slots) {
  CascadeSpec cascade;
  cascade.name = "digits";
  cascade.slots = slots;
  cascade.inputs = std::move(inputs);
  for (std::vector<TensorSpec>& stage : outputs) {
    cascade.stages.emplace_back().outputs = std::move(stage);
  }
  return cascade;
}

TEST(SlabLayout, GivesEachTensorWholeCacheLines) {
  const TensorSpec floats{
      .name = "f", .datatype = Datatype::kFp32, .shape = {10}, .range = std::nullopt};
  const CascadeSpec cascade = Cascade({Bytes({28, 28}), Bytes({})}, {{floats, floats}, {}}, 3);
  const auto layout = SlabLayout::For(cascade);
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_THAT(layout->inputs, ElementsAre(0, 832));  // 784 bytes are 13 lines
  EXPECT_THAT(layout->outputs, ElementsAre(ElementsAre(896, 960), ElementsAre()));
  EXPECT_EQ(layout->stride, 1024u);
  EXPECT_EQ(layout->slots, 3u);
  EXPECT_EQ(layout->total_bytes(), SlabLayout::kHeaderBytes + 3 * 1024);
}

TEST(SlabLayout, FillsTheWholeLimit) {
  const auto slots = static_cast<int>((kMaxSlabBytes - SlabLayout::kHeaderBytes) / 64);
  EXPECT_TRUE(SlabLayout::For(Cascade({Bytes({1})}, {}, slots)).ok());
  const auto over = SlabLayout::For(Cascade({Bytes({1})}, {}, slots + 1));
  EXPECT_EQ(over.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(over.status().message()),
              HasSubstr("at most " + std::to_string(slots) + " slots fit"));
}

TEST(SlabLayout, RefusesACascadeWithoutSlots) {
  const auto layout = SlabLayout::For(Cascade({Bytes({1})}, {}, 0));
  EXPECT_EQ(layout.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(layout.status().message()),
              HasSubstr("digits: found 0 slots, expected >= 1"));
}

TEST(SlabLayout, RefusesSizesThatOverflow) {
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  const int64_t half = int64_t{1} << 29;
  for (const std::vector<TensorSpec>& inputs :
       {std::vector{Bytes({kHuge, kHuge})}, std::vector{Bytes({half, 8})},
        std::vector{Bytes({half}), Bytes({half}), Bytes({1})}}) {
    const auto layout = SlabLayout::For(Cascade(inputs, {}, 1));
    EXPECT_EQ(layout.status().code(), absl::StatusCode::kInvalidArgument) << layout.status();
  }
}

}  // namespace
}  // namespace escan
