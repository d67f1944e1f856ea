// Inference over the network, unary and streamed, against a whole daemon.
#include <grpcpp/grpcpp.h>

#include <cstring>
#include <future>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/inference/infer_stream.h"
#include "server/test_daemon.h"
#include "supervision/misbehaving_rows.h"

namespace escan {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using inference::ModelStreamInferResponse;
using testing::ElementsAre;
using testing::HasSubstr;

class InferTest : public testing::Test {
 protected:
  InferTest() : config_(TestConfig(folder_)) {}

  CascadeSpec& cascade() { return config_.cascades.front().spec; }
  TestDaemon& Start(const std::string& mode = "good") {
    daemon_ = std::make_unique<TestDaemon>(config_, mode);
    daemon_->WaitReady();
    return *daemon_;
  }

  TemporaryFolder folder_;
  Config config_;
  std::unique_ptr<TestDaemon> daemon_;
};

template <typename T>
std::vector<T> Elements(const std::string& raw) {
  std::vector<T> elements(raw.size() / sizeof(T));
  std::memcpy(elements.data(), raw.data(), raw.size());
  return elements;
}

std::vector<int32_t> ExitStages(const ModelInferResponse& response) {
  return Elements<int32_t>(response.raw_output_contents(1));
}

TEST_F(InferTest, EveryRowIsAnsweredByTheStageThatItLeftAt) {
  TestDaemon& daemon = Start();
  ModelInferRequest request = TestRequest({200, 10, 130});
  request.set_id("seven");
  ModelInferResponse response;
  ASSERT_TRUE(daemon.Infer(request, &response).ok());
  EXPECT_EQ(response.id(), "seven");
  EXPECT_THAT(Elements<float>(response.raw_output_contents(0)), ElementsAre(200, 10, 130));
  EXPECT_THAT(ExitStages(response), ElementsAre(1, 2, 1));
  EXPECT_THAT(Elements<float>(response.raw_output_contents(2)),
              ElementsAre(200 / 255.0f, 10 / 255.0f, 130 / 255.0f));
}

TEST_F(InferTest, TypedContentsAreAnsweredLikeRawOnes) {
  TestDaemon& daemon = Start();
  ModelInferRequest request = TestRequest({200});
  request.clear_raw_input_contents();
  for (const uint32_t value : {200, 0, 0, 0}) {
    request.mutable_inputs(0)->mutable_contents()->add_uint_contents(value);
  }
  ModelInferResponse response;
  ASSERT_TRUE(daemon.Infer(request, &response).ok());
  EXPECT_THAT(ExitStages(response), ElementsAre(1));
}

TEST_F(InferTest, AValueOutOfRangeIsRefusedAndLeavesNothingBehind) {
  TestDaemon& daemon = Start();
  const grpc::Status status = daemon.Infer(TestRequest({1, 251}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "input 'x': row 1: element 0 is 251, not in [0, 250]");
  EXPECT_EQ(daemon.Status().slots_in_use(), 0u);
}

TEST_F(InferTest, AnUnknownModelIsNotFound) {
  ModelInferRequest request = TestRequest({1});
  request.set_model_name("other");
  const grpc::Status status = Start().Infer(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "unknown model 'other': this server has 'test'");
}

TEST_F(InferTest, AnOversizedMessageIsRefusedByTheTransport) {
  ModelInferRequest request = TestRequest({1});
  request.mutable_raw_input_contents(0)->resize(1 << 20);
  EXPECT_EQ(Start().Infer(request).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(InferTest, AFailingRowFailsItsRequestNamingStageAndRow) {
  TestDaemon& daemon = Start("poison");
  const grpc::Status status = daemon.Infer(TestRequest({1, kFailingByte}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(status.error_message(), "stage 'first' failed on row 1: bad row");
  EXPECT_TRUE(daemon.Infer(TestRequest({1})).ok());
}

TEST_F(InferTest, TheTimeoutParameterIsADeadline) {
  TestDaemon& daemon = Start("hang");
  ModelInferRequest request = TestRequest({1});
  (*request.mutable_parameters())["timeout"].set_int64_param(1000);
  EXPECT_EQ(daemon.Infer(request).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(InferTest, TheCascadesDeadlineHoldsWithoutAnother) {
  cascade().deadline = std::chrono::milliseconds(1);
  EXPECT_EQ(Start("hang").Infer(TestRequest({1})).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
}

// A unary call that is under way while the test goes on; cancelled in the end.
class PendingCall {
 public:
  PendingCall(TestDaemon& daemon, ModelInferRequest request) : request_(std::move(request)) {
    daemon.client().async()->ModelInfer(
        &context_, &request_, &response_,
        [this](const grpc::Status& status) { end_.set_value(status); });
  }
  ~PendingCall() {
    if (ended_.valid()) Cancel();
  }

  grpc::StatusCode Cancel() {
    context_.TryCancel();
    return ended_.get().error_code();
  }

 private:
  grpc::ClientContext context_;
  const ModelInferRequest request_;
  ModelInferResponse response_;
  std::promise<grpc::Status> end_;
  std::future<grpc::Status> ended_ = end_.get_future();
};

TEST_F(InferTest, WithoutFreeSlotsARequestIsRefusedAtOnce) {
  cascade().slots = 16;
  TestDaemon& daemon = Start("hang");
  PendingCall held(daemon, TestRequest(std::vector<uint8_t>(16, 1)));
  daemon.WaitFor([](const v1::CascadeStatus& status) { return status.slots_in_use() == 16; });
  const grpc::Status refused = daemon.Infer(TestRequest({1}));
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(), HasSubstr("16"));
}

TEST_F(InferTest, ACancelledRequestIsOver) {
  TestDaemon& daemon = Start("hang");
  PendingCall call(daemon, TestRequest({1}));
  daemon.WaitFor([](const v1::CascadeStatus& status) { return status.requests() == 1; });
  EXPECT_EQ(call.Cancel(), grpc::StatusCode::CANCELLED);
  daemon.WaitFor([](const v1::CascadeStatus& status) { return status.requests() == 0; });
}

TEST_F(InferTest, AStreamAnswersEveryRequestAndErrorsLeaveItOpen) {
  TestDaemon& daemon = Start();
  grpc::ClientContext context;
  const auto stream = daemon.client().ModelStreamInfer(&context);
  // More than the stream takes at a time: it then reads as fast as it answers.
  constexpr int kRequests = 3 * InferStream::kMaxUnanswered;
  std::thread writer([&] {
    for (int i = 0; i < kRequests; ++i) {
      ModelInferRequest request = TestRequest({static_cast<uint8_t>(i % 250)});
      request.set_id(std::to_string(i));
      if (i % 10 == 3) request.set_model_name("other");
      stream->Write(request);
    }
    stream->WritesDone();
  });
  std::set<std::string> answered;
  std::set<std::string> failed;
  ModelStreamInferResponse response;
  while (stream->Read(&response)) {
    const std::string& id = response.infer_response().id();
    if (response.error_message().empty()) {
      EXPECT_THAT(ExitStages(response.infer_response()),
                  ElementsAre(std::stoi(id) % 250 >= 128 ? 1 : 2));
      EXPECT_TRUE(answered.insert(id).second) << id;
    } else {
      EXPECT_EQ(response.error_message(), "unknown model 'other': this server has 'test'");
      EXPECT_TRUE(failed.insert(id).second) << id;
    }
  }
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(answered.size() + failed.size(), static_cast<size_t>(kRequests));
  for (const std::string& id : failed) EXPECT_EQ(std::stoi(id) % 10, 3);
}

TEST_F(InferTest, AStreamMarksFinalResponsesWhenAsked) {
  TestDaemon& daemon = Start();
  grpc::ClientContext context;
  const auto stream = daemon.client().ModelStreamInfer(&context);
  ModelInferRequest request = TestRequest({1});
  (*request.mutable_parameters())["triton_enable_empty_final_response"].set_bool_param(true);
  ModelStreamInferResponse response;
  ASSERT_TRUE(stream->Write(request) && stream->Read(&response));
  EXPECT_TRUE(response.infer_response().parameters().at("triton_final_response").bool_param());
  request.set_model_name("other");
  ASSERT_TRUE(stream->Write(request) && stream->Read(&response));
  EXPECT_TRUE(response.infer_response().parameters().at("triton_final_response").bool_param());
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(InferTest, CancellingAStreamCancelsItsRequests) {
  TestDaemon& daemon = Start("hang");
  grpc::ClientContext context;
  const auto stream = daemon.client().ModelStreamInfer(&context);
  for (int i = 0; i < 5; ++i) stream->Write(TestRequest({1}));
  daemon.WaitFor([](const v1::CascadeStatus& status) { return status.requests() == 5; });
  context.TryCancel();
  daemon.WaitFor([](const v1::CascadeStatus& status) { return status.requests() == 0; });
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

}  // namespace
}  // namespace escan
