#include "server/protocol/answer_writer.h"

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "inference/grpc_service.pb.h"
#include "server/protocol/protocol_cascade.h"

namespace escan {
namespace {

using testing::ElementsAre;

// Rows whose "classes" are {row, -row} and whose "flags" are row + 1.
class AnswerWriterTest : public testing::Test {
 protected:
  AnswerWriterTest() : writer_(ProtocolCascade()) {}

  Answer Make(int rows, const std::vector<int>& outputs) {
    outputs_ = outputs;
    for (int row = 0; row < rows; ++row) {
      answers_.push_back({.stage = static_cast<int8_t>(row % 2), .score = 0.25f * row});
      classes_.push_back({static_cast<float>(row), static_cast<float>(-row)});
      flags_.push_back(static_cast<uint8_t>(row + 1));
    }
    return {.id = "", .rows = answers_, .outputs = outputs_, .data = data_};
  }

  inference::ModelInferResponse Written(const Answer& answer) {
    std::string bytes(writer_.Size(answer), '\0');
    writer_.Write(answer, reinterpret_cast<uint8_t*>(bytes.data()));
    inference::ModelInferResponse response;
    EXPECT_TRUE(response.ParseFromString(bytes));
    // The same bytes that protobuf would have written: nothing is left over or encoded oddly.
    EXPECT_EQ(response.SerializeAsString().size(), bytes.size());
    return response;
  }

  const std::byte* Data(int row, int output) const {
    const auto index = static_cast<size_t>(row);
    if (output == 0) return reinterpret_cast<const std::byte*>(classes_[index].data());
    return reinterpret_cast<const std::byte*>(&flags_[index]);
  }

  const AnswerWriter writer_;
  std::vector<SampleAnswer> answers_;
  std::vector<int> outputs_;
  std::vector<std::array<float, 2>> classes_;
  std::vector<uint8_t> flags_;
  const std::function<const std::byte*(int, int)> data_ = [this](int row, int output) {
    return Data(row, output);
  };
};

template <typename T>
std::vector<T> Elements(const std::string& raw) {
  std::vector<T> elements(raw.size() / sizeof(T));
  std::memcpy(elements.data(), raw.data(), raw.size());
  return elements;
}

TEST_F(AnswerWriterTest, EveryOutputIsRawWithItsDatatypeAndShape) {
  const inference::ModelInferResponse response = Written(Make(3, {0, 1, 2, 3}));
  EXPECT_EQ(response.model_name(), "pictures");
  EXPECT_EQ(response.model_version(), "1");
  EXPECT_EQ(response.id(), "");
  EXPECT_TRUE(response.parameters().empty());
  ASSERT_EQ(response.outputs_size(), 4);
  ASSERT_EQ(response.raw_output_contents_size(), 4);
  EXPECT_EQ(response.outputs(0).name(), "classes");
  EXPECT_EQ(response.outputs(0).datatype(), "FP32");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(3, 2));
  EXPECT_EQ(response.outputs(1).datatype(), "UINT8");
  EXPECT_THAT(response.outputs(1).shape(), ElementsAre(3));
  EXPECT_EQ(response.outputs(2).name(), "exit_stage");
  EXPECT_EQ(response.outputs(2).datatype(), "INT32");
  EXPECT_EQ(response.outputs(3).name(), "confidence");
  EXPECT_THAT(Elements<float>(response.raw_output_contents(0)), ElementsAre(0, 0, 1, -1, 2, -2));
  EXPECT_THAT(Elements<uint8_t>(response.raw_output_contents(1)), ElementsAre(1, 2, 3));
  EXPECT_THAT(Elements<int32_t>(response.raw_output_contents(2)), ElementsAre(1, 2, 1));
  EXPECT_THAT(Elements<float>(response.raw_output_contents(3)), ElementsAre(0, 0.25f, 0.5f));
}

TEST_F(AnswerWriterTest, ABrownOutIsAParameterOfTheAnswer) {
  Answer answer = Make(2, {0});
  answer.brown_out = 3;
  answer.mark_final = true;
  const inference::ModelInferResponse response = Written(answer);
  ASSERT_EQ(response.parameters_size(), 2);
  EXPECT_EQ(response.parameters().at("brown_out").int64_param(), 3);
  EXPECT_TRUE(response.parameters().at("triton_final_response").bool_param());
}

TEST_F(AnswerWriterTest, OnlyTheRequestedOutputsComeInTheirOrder) {
  const inference::ModelInferResponse response = Written(Make(1, {3, 1}));
  ASSERT_EQ(response.outputs_size(), 2);
  EXPECT_EQ(response.outputs(0).name(), "confidence");
  EXPECT_EQ(response.outputs(1).name(), "flags");
  EXPECT_EQ(response.raw_output_contents(0).size(), sizeof(float));
  EXPECT_EQ(response.raw_output_contents(1).size(), 1u);
}

TEST_F(AnswerWriterTest, TheIdIsEchoed) {
  Answer answer = Make(200, {0});
  const std::string id(300, 'i');
  answer.id = id;
  const inference::ModelInferResponse response = Written(answer);
  EXPECT_EQ(response.id(), id);
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(200, 2));
}

TEST_F(AnswerWriterTest, TheFinalMarkIsAParameter) {
  Answer answer = Make(1, {0});
  answer.mark_final = true;
  const inference::ModelInferResponse response = Written(answer);
  ASSERT_EQ(response.parameters().size(), 1u);
  EXPECT_TRUE(response.parameters().at("triton_final_response").bool_param());
}

TEST_F(AnswerWriterTest, AStreamsAnswerHoldsTheSameResponse) {
  const Answer answer = Make(2, {0, 2});
  std::string bytes(writer_.StreamSize(answer), '\0');
  writer_.WriteStream(answer, reinterpret_cast<uint8_t*>(bytes.data()));
  inference::ModelStreamInferResponse response;
  ASSERT_TRUE(response.ParseFromString(bytes));
  EXPECT_EQ(response.error_message(), "");
  EXPECT_EQ(response.infer_response().SerializeAsString(), Written(answer).SerializeAsString());
}

}  // namespace
}  // namespace escan
