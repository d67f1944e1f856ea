// What watches over a cascade's answers, over the network and against a whole daemon.
#include <grpcpp/grpcpp.h>

#include <future>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/test_daemon.h"

namespace escan {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using testing::HasSubstr;

// As TestConfig; the class of a row is its first byte.
class MonitoringTest : public testing::Test {
 protected:
  MonitoringTest() : config_(TestConfig(folder_)) {
    const TensorSpec label{
        .name = "class", .datatype = Datatype::kUint8, .shape = {}, .range = std::nullopt};
    cascade().outputs.push_back(label);
    for (StageSpec& stage : cascade().stages) {
      stage.outputs = cascade().outputs;
      stage.answer = {0, 1};
    }
  }

  CascadeSpec& cascade() { return config_.cascades.front().spec; }
  Plan& plan() { return config_.cascades.front().plan; }
  TestDaemon& Start() {
    daemon_ = std::make_unique<TestDaemon>(config_, "good");
    daemon_->WaitReady();
    return *daemon_;
  }

  static ModelInferRequest Request(const std::vector<uint8_t>& first_bytes, const std::string& id) {
    ModelInferRequest request = TestRequest(first_bytes);
    request.set_id(id);
    return request;
  }

  grpc::Status Feedback(const std::string& id, const std::vector<int64_t>& labels) {
    v1::GiveFeedbackRequest request;
    request.set_request_id(id);
    request.mutable_labels()->Add(labels.begin(), labels.end());
    grpc::ClientContext context;
    v1::GiveFeedbackResponse response;
    return daemon_->admin().GiveFeedback(&context, request, &response);
  }

  TemporaryFolder folder_;
  Config config_;
  std::unique_ptr<TestDaemon> daemon_;
};

TEST_F(MonitoringTest, LabelsThatComeLaterCountAtTheStageThatAnswered) {
  cascade().feedback = {.samples = 100, .keep = std::chrono::hours(1)};
  TestDaemon& daemon = Start();
  ASSERT_TRUE(daemon.Infer(Request({200, 10, 220}, "a")).ok());
  EXPECT_EQ(Feedback("a", {200, 10}).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(Feedback("a", {200, 10, 7}).ok());
  EXPECT_EQ(Feedback("a", {200, 10, 7}).error_code(), grpc::StatusCode::NOT_FOUND);
  const v1::CascadeStatus status = daemon.Status();
  EXPECT_EQ(status.stages(0).accuracy().samples(), 2u);
  EXPECT_EQ(status.stages(0).accuracy().ratio(), 0.5);
  EXPECT_LT(status.stages(0).accuracy().low(), 0.5);
  EXPECT_EQ(status.stages(1).accuracy().samples(), 1u);
  EXPECT_EQ(status.stages(1).accuracy().ratio(), 1.0);
}

TEST_F(MonitoringTest, LabelsMayComeWithTheRequest) {
  TestDaemon& daemon = Start();
  ModelInferRequest request = Request({200, 10}, "a");
  (*request.mutable_parameters())["ground_truth"].set_string_param("200,11");
  ASSERT_TRUE(daemon.Infer(request).ok());
  request = Request({201}, "");
  (*request.mutable_parameters())["ground_truth"].set_int64_param(201);
  ASSERT_TRUE(daemon.Infer(request).ok());
  const v1::CascadeStatus status = daemon.Status();
  EXPECT_EQ(status.stages(0).accuracy().samples(), 2u);
  EXPECT_EQ(status.stages(0).accuracy().ratio(), 1.0);
  EXPECT_EQ(status.stages(1).accuracy().ratio(), 0.0);
}

TEST_F(MonitoringTest, WithoutFeedbackNothingIsRemembered) {
  TestDaemon& daemon = Start();
  ASSERT_TRUE(daemon.Infer(Request({200}, "a")).ok());
  const grpc::Status status = Feedback("a", {200});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("has no feedback"));
  EXPECT_FALSE(daemon.Status().stages(0).has_accuracy());
}

TEST_F(MonitoringTest, AuditsAreInTheStatus) {
  cascade().audit_every = 1;
  TestDaemon& daemon = Start();
  daemon.WaitFor([&](const v1::CascadeStatus& status) {
    EXPECT_TRUE(daemon.Infer(Request({200}, "")).ok());
    return status.stages(0).disagreement().samples() >= 3;
  });
  EXPECT_EQ(daemon.Status().stages(0).disagreement().ratio(), 0.0);
  EXPECT_FALSE(daemon.Status().stages(1).has_disagreement());
}

// Samples of the second stage, which speculates, wait there for a minute and fill the slots.
TEST_F(MonitoringTest, ABrownOutIsInAnswersAndStatus) {
  cascade().slots = 64;
  cascade().max_rows = 64;
  cascade().lowest_thresholds = {0.1f, 1.0f};
  for (StageSpec& stage : cascade().stages) stage.buckets = {64};
  plan().stages = {{.max_batch = 64},
                   {.max_batch = 64, .max_delay = std::chrono::minutes(1), .speculate = true}};
  TestDaemon& daemon = Start();
  ModelInferResponse before;
  ASSERT_TRUE(daemon.Infer(Request({200}, ""), &before).ok());
  EXPECT_EQ(before.parameters().count("brown_out"), 0u);

  grpc::ClientContext crowd_context;
  const ModelInferRequest crowd = Request(std::vector<uint8_t>(40, 10), "");
  std::future<grpc::Status> crowded = std::async(std::launch::async, [&] {
    ModelInferResponse response;
    return daemon.client().ModelInfer(&crowd_context, crowd, &response);
  });
  daemon.WaitFor([](const v1::CascadeStatus& status) { return status.brown_out().level() == 4; });
  EXPECT_FLOAT_EQ(daemon.Status().stages(0).threshold(), 0.1f);
  EXPECT_FALSE(daemon.Status().thresholds_differ_from_file());
  ModelInferResponse lowered;
  ASSERT_TRUE(daemon.Infer(Request({100}, ""), &lowered).ok());
  ASSERT_EQ(lowered.parameters().count("brown_out"), 1u);
  EXPECT_EQ(lowered.parameters().at("brown_out").int64_param(), 4);

  crowd_context.TryCancel();
  EXPECT_FALSE(crowded.get().ok());
}

}  // namespace
}  // namespace escan
