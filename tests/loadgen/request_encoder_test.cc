#include "loadgen/request_encoder.h"

#include <gtest/gtest.h>

#include <vector>

#include "inference/grpc_service.grpc.pb.h"

namespace escan::loadgen {
namespace {

inference::ModelInferRequest Decode(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  inference::ModelInferRequest request;
  EXPECT_TRUE(request.ParseFromString(bytes));
  return request;
}

TEST(RequestEncoder, WritesTheModelTheShapesAndTheRowsOfEveryInput) {
  const ModelInfo model{
      .name = "digits",
      .inputs = {{.name = "image", .datatype = Datatype::kUint8, .shape = {20, 10}},
                 {.name = "weight", .datatype = Datatype::kFp32, .shape = {}}},
      .outputs = {}};
  const SampleSet samples = SampleSet::Random(model.inputs, 5, 1);
  const RequestEncoder encoder(model, &samples, std::nullopt, 3);
  for (const int rows : {1, 2, 3}) {
    const inference::ModelInferRequest request =
        Decode(encoder.Encode({.first_row = 2, .rows = rows}));
    EXPECT_EQ(request.model_name(), "digits");
    ASSERT_EQ(request.inputs_size(), 2);
    EXPECT_EQ(request.inputs(0).name(), "image");
    EXPECT_EQ(request.inputs(0).datatype(), "UINT8");
    ASSERT_EQ(request.inputs(0).shape_size(), 3);
    EXPECT_EQ(request.inputs(0).shape(0), rows);
    EXPECT_EQ(request.inputs(0).shape(1), 20);
    ASSERT_EQ(request.inputs(1).shape_size(), 1);
    EXPECT_EQ(request.inputs(1).shape(0), rows);
    ASSERT_EQ(request.raw_input_contents_size(), 2);
    EXPECT_EQ(request.raw_input_contents(0), samples.Rows(0, 2, rows));
    EXPECT_EQ(request.raw_input_contents(1), samples.Rows(1, 2, rows));
  }
}

TEST(RequestEncoder, TakesDifficultiesByTheRequestAndOtherInputsFromTheSamples) {
  const TensorSpec image{.name = "image", .datatype = Datatype::kUint8, .shape = {20}};
  const TensorSpec difficulty{.name = "difficulty", .datatype = Datatype::kFp32, .shape = {1}};
  const TensorSpec weight{.name = "weight", .datatype = Datatype::kFp32, .shape = {}};
  const ModelInfo model{.name = "digits", .inputs = {image, difficulty, weight}, .outputs = {}};
  const SampleSet samples = SampleSet::Random({image, weight}, 5, 1);
  const Difficulties difficulties(ExitSchedule({0.5, 0.5}), 3, 1);
  const RequestEncoder encoder(model, &samples,
                               ExitControl{.input = 1, .difficulties = &difficulties}, 3);
  const inference::ModelInferRequest request =
      Decode(encoder.Encode({.first_row = 2, .rows = 3, .request = 77}));
  ASSERT_EQ(request.inputs_size(), 3);
  EXPECT_EQ(request.inputs(1).name(), "difficulty");
  EXPECT_EQ(request.inputs(1).shape_size(), 2);
  ASSERT_EQ(request.raw_input_contents_size(), 3);
  EXPECT_EQ(request.raw_input_contents(0), samples.Rows(0, 2, 3));
  EXPECT_EQ(request.raw_input_contents(1), difficulties.Rows(0, 77, 3));
  EXPECT_EQ(request.raw_input_contents(2), samples.Rows(1, 2, 3));
}

}  // namespace
}  // namespace escan::loadgen
