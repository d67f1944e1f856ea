#include "server/protocol/model_description.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/protocol/protocol_cascade.h"

namespace escan {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ModelDescription, MetadataShapesBeginWithTheBatchDimension) {
  const inference::ModelMetadataResponse metadata = DescribeModel(ProtocolCascade());
  EXPECT_EQ(metadata.name(), "pictures");
  EXPECT_THAT(metadata.versions(), ElementsAre("1"));
  ASSERT_EQ(metadata.inputs_size(), 3);
  EXPECT_EQ(metadata.inputs(0).datatype(), "UINT8");
  EXPECT_THAT(metadata.inputs(0).shape(), ElementsAre(-1, 2, 3));
  EXPECT_THAT(metadata.inputs(1).shape(), ElementsAre(-1));
  ASSERT_EQ(metadata.outputs_size(), 4);
  EXPECT_EQ(metadata.outputs(0).name(), "classes");
  EXPECT_EQ(metadata.outputs(2).name(), "exit_stage");
  EXPECT_EQ(metadata.outputs(2).datatype(), "INT32");
  EXPECT_EQ(metadata.outputs(3).name(), "confidence");
  EXPECT_THAT(metadata.outputs(3).shape(), ElementsAre(-1));
}

TEST(ModelDescription, ACascadeIsAnOrdinaryModelThatBatchesDynamically) {
  Plan plan;
  plan.workers = {{.count = 3, .stages = {0, 1}}, {.count = 2, .device = 1, .stages = {1}}};
  plan.stages = {{.max_batch = 4, .max_delay = std::chrono::milliseconds(2)}, {.max_batch = 4}};
  const inference::ModelConfig config =
      DescribeConfig(ProtocolCascade(), plan, {Device{}, {.kind = Device::Kind::kGpu}});
  EXPECT_EQ(config.name(), "pictures");
  EXPECT_EQ(config.max_batch_size(), 8);
  ASSERT_TRUE(config.has_dynamic_batching());
  EXPECT_FALSE(config.has_ensemble_scheduling());
  EXPECT_EQ(config.dynamic_batching().max_queue_delay_microseconds(), 2000u);
  EXPECT_EQ(config.dynamic_batching().priority_levels(), 3u);
  EXPECT_EQ(config.dynamic_batching().default_priority_level(), 2u);
  EXPECT_THAT(config.dynamic_batching().preferred_batch_size(), ElementsAre(1, 4));
  ASSERT_EQ(config.instance_group_size(), 2);
  EXPECT_EQ(config.instance_group(0).count(), 3);
  EXPECT_EQ(config.instance_group(0).kind(), inference::ModelInstanceGroup::KIND_CPU);
  EXPECT_EQ(config.instance_group(1).kind(), inference::ModelInstanceGroup::KIND_GPU);
  EXPECT_THAT(config.instance_group(1).gpus(), ElementsAre(1));
}

TEST(ModelDescription, ConfigDimensionsHaveNoBatchDimension) {
  const inference::ModelConfig config = DescribeConfig(ProtocolCascade(), Plan{}, {});
  ASSERT_EQ(config.input_size(), 3);
  EXPECT_EQ(config.input(0).data_type(), inference::TYPE_UINT8);
  EXPECT_THAT(config.input(0).dims(), ElementsAre(2, 3));
  EXPECT_THAT(config.input(1).dims(), IsEmpty());
  ASSERT_EQ(config.output_size(), 4);
  EXPECT_EQ(config.output(3).data_type(), inference::TYPE_FP32);
}

}  // namespace
}  // namespace escan
