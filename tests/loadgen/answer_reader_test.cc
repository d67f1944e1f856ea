#include "loadgen/answer_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/grpc_service.pb.h"

namespace escan::loadgen {
namespace {

using testing::ElementsAre;

const std::vector<TensorSpec> kOutputs = {
    {.name = "scores", .datatype = Datatype::kFp32, .shape = {2}},
    {.name = "exit_stage", .datatype = Datatype::kInt32}};

class AnswerReaderTest : public testing::Test {
 protected:
  void AddOutput(const std::string& name, const std::string& datatype,
                 const std::string& contents) {
    response_.add_outputs()->set_name(name);
    response_.mutable_outputs(response_.outputs_size() - 1)->set_datatype(datatype);
    response_.add_raw_output_contents(contents);
  }

  std::string Defect(int rows = 1) const {
    return AnswerReader(kOutputs, "").Read(response_, rows).defect;
  }

  inference::ModelInferResponse response_;
};

TEST_F(AnswerReaderTest, FindsTheOutputsInTheModelsOrder) {
  AddOutput("more", "FP64", "");
  AddOutput("exit_stage", "INT32", "abcd");
  AddOutput("scores", "FP32", "12345678");
  const AnswerTensors tensors = AnswerReader(kOutputs, "scores").Read(response_, 1);
  EXPECT_EQ(tensors.defect, "");
  EXPECT_THAT(tensors.outputs, ElementsAre("12345678", "abcd"));
  EXPECT_EQ(tensors.exit_stages, "abcd");
  EXPECT_EQ(tensors.scores, "12345678");
}

TEST_F(AnswerReaderTest, AMissingOutputIsADefect) {
  AddOutput("exit_stage", "INT32", "abcd");
  EXPECT_EQ(Defect(), "the answer has no output 'scores'");
}

TEST_F(AnswerReaderTest, AnotherDatatypeIsADefect) {
  AddOutput("scores", "FP16", "12345678");
  AddOutput("exit_stage", "INT32", "abcd");
  EXPECT_EQ(Defect(), "'scores' is 'FP16', expected FP32");
}

TEST_F(AnswerReaderTest, AnEmptyOutputAndOneOfAnotherSizeAreDefects) {
  AddOutput("scores", "FP32", "");
  AddOutput("exit_stage", "INT32", "abcd");
  EXPECT_EQ(Defect(), "'scores' has 0 bytes, expected 8 for 1 rows");
  *response_.mutable_raw_output_contents(0) = "12345678";
  EXPECT_EQ(Defect(), "");
  EXPECT_EQ(Defect(2), "'scores' has 8 bytes, expected 16 for 2 rows");
}

TEST_F(AnswerReaderTest, AnOutputWithoutRawContentsIsADefect) {
  AddOutput("scores", "FP32", "12345678");
  response_.add_outputs()->set_name("exit_stage");
  response_.mutable_outputs(1)->set_datatype("INT32");
  EXPECT_EQ(Defect(), "'exit_stage' has no raw contents");
}

}  // namespace
}  // namespace escan::loadgen
