#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "loadgen/connections.h"
#include "loadgen/fake_inference_server.h"
#include "loadgen/grpc_transport.h"
#include "loadgen/load_run.h"
#include "loadgen/sample_set.h"
#include "support/temporary_folder.h"
#include "traffic/latency_summary.h"

namespace escan::loadgen {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr Duration kPatience = seconds(30);

// Five samples: class, exit stage, whether the server refuses it, nothing.
const std::string kRows(
    "\0\1\0\0"
    "\1\1\0\0"
    "\2\2\0\0"
    "\0\3\1\0"
    "\1\2\0\0",
    20);

class GrpcLoad : public testing::Test {
 protected:
  // Sends to `server` as asked and returns what was measured.
  Outcome Load(const FakeInferenceServer& server, const LoadLimits& limits, const Pace& pace,
               int rows, Duration deadline = kPatience, std::vector<int64_t> labels = {}) {
    const absl::StatusOr<Channels> channels = Connect(server.target(), 2, kPatience);
    EXPECT_TRUE(channels.ok()) << channels.status();
    const absl::StatusOr<ModelInfo> model = DescribeModel(channels->front(), "", kPatience);
    EXPECT_TRUE(model.ok()) << model.status();
    const std::string file = folder_.Write("rows.npy", Npy("|u1", "(5, 4)", kRows));
    const absl::StatusOr<SampleSet> samples = SampleSet::FromFiles(model->inputs, {{"", file}});
    EXPECT_TRUE(samples.ok()) << samples.status();
    GrpcTransport transport(*channels, *model, &*samples,
                            {.rows_per_request = rows,
                             .threads = 2,
                             .deadline = deadline,
                             .label_output = labels.empty() ? "" : "probabilities"});
    LoadRun run({.total_rows = 5, .rows_per_request = rows, .keep_last = true}, limits, pace,
                {.labels = labels}, &transport);
    run.Start();
    while (!run.WaitUntil(Clock::now() + seconds(1))) {
    }
    return run.Finish();
  }

 private:
  const TemporaryFolder folder_;
};

TEST_F(GrpcLoad, CountsExitsAndAccuracyOfEverySample) {
  const FakeInferenceServer server;
  const Outcome outcome =
      Load(server, {.requests = 3}, ClosedLoop{.concurrency = 2}, 2, kPatience, {0, 1, 2, 0, 0});
  EXPECT_EQ(server.requests(), 3);
  EXPECT_EQ(outcome.tally.succeeded(), 3);
  EXPECT_EQ(outcome.tally.samples(), 5);
  EXPECT_EQ(outcome.tally.correct(), 4);
  ASSERT_EQ(outcome.tally.exits().size(), 3u);
  EXPECT_EQ(outcome.tally.exits().at(1).samples, 2);
  EXPECT_EQ(outcome.tally.exits().at(2).samples, 2);
  EXPECT_EQ(outcome.tally.exits().at(2).correct, 1);
  EXPECT_EQ(outcome.tally.exits().at(3).samples, 1);
}

TEST_F(GrpcLoad, CountsErrorsByCodeAndGoesOn) {
  const FakeInferenceServer server([](const inference::ModelInferRequest& request) {
    return request.raw_input_contents(0)[2] == 0
               ? grpc::Status::OK
               : grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "no slot is free");
  });
  const Outcome outcome = Load(server, {.requests = 10}, ClosedLoop{.concurrency = 3}, 1);
  EXPECT_EQ(server.requests(), 10);
  EXPECT_EQ(outcome.tally.succeeded(), 8);
  ASSERT_EQ(outcome.tally.errors().size(), 1u);
  EXPECT_EQ(outcome.tally.errors().at("RESOURCE_EXHAUSTED").count, 2);
  EXPECT_EQ(outcome.tally.errors().at("RESOURCE_EXHAUSTED").first_message, "no slot is free");
  EXPECT_EQ(outcome.tally.exits().count(3), 0u);
}

TEST_F(GrpcLoad, TheWarmupReachesTheServerAndIsNotCounted) {
  const FakeInferenceServer server;
  const Outcome outcome =
      Load(server, {.warmup_requests = 4, .requests = 6}, ClosedLoop{.concurrency = 2}, 1);
  EXPECT_EQ(server.requests(), 10);
  EXPECT_EQ(outcome.tally.succeeded(), 6);
}

TEST_F(GrpcLoad, AnOpenLoopDoesNotWaitForAnswersAndCountsTheWait) {
  // The server answers nothing before the last request came: only a generator that does not wait
  // gets there, and the first requests then waited for all later ones to become due.
  constexpr int kRequests = 20;
  FakeInferenceServer server;
  server.Hold();
  std::thread releaser([&server] {
    while (server.requests() < kRequests) std::this_thread::yield();
    server.Release();
  });
  const Outcome outcome = Load(server, {.requests = kRequests},
                               OpenLoop{.arrivals = Arrivals::kConstant,
                                        .rate = 200,
                                        .max_outstanding = 1000,
                                        .max_lateness = kPatience},
                               1);
  releaser.join();
  EXPECT_EQ(outcome.tally.succeeded(), kRequests);
  EXPECT_EQ(outcome.lateness.size(), size_t{kRequests});
  const LatencySummary latency = Summarize(outcome.tally.latencies());
  EXPECT_GE(latency.max, milliseconds(5) * (kRequests - 1));
  EXPECT_GE(latency.p50, milliseconds(5) * (kRequests / 2 - 1));
  EXPECT_GE(outcome.elapsed, latency.max);
}

TEST_F(GrpcLoad, ARequestWithoutAnAnswerFailsAtItsDeadline) {
  FakeInferenceServer server;
  server.Hold();
  const Outcome outcome =
      Load(server, {.requests = 2}, ClosedLoop{.concurrency = 2}, 1, milliseconds(50));
  EXPECT_EQ(outcome.tally.succeeded(), 0);
  EXPECT_EQ(outcome.tally.errors().at("DEADLINE_EXCEEDED").count, 2);
}

TEST(Connections, AnAbsentServerIsNamed) {
  const absl::StatusOr<Channels> channels = Connect("127.0.0.1:1", 1, milliseconds(10));
  EXPECT_EQ(channels.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(channels.status().message()),
              HasSubstr("no connection to 127.0.0.1:1 within 10ms"));
}

TEST(Connections, TheModelIsDescribedByRow) {
  const FakeInferenceServer server;
  const absl::StatusOr<Channels> channels = Connect(server.target(), 1, kPatience);
  const absl::StatusOr<ModelInfo> model = DescribeModel(channels->front(), "", kPatience);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->name, "digits");
  EXPECT_EQ(
      model->inputs,
      (std::vector<TensorSpec>{{.name = "image", .datatype = Datatype::kUint8, .shape = {4}}}));
  ASSERT_EQ(model->outputs.size(), 2u);
  EXPECT_TRUE(model->outputs[1].shape.empty());
}

TEST(Connections, AnUnknownModelIsTheServersError) {
  const FakeInferenceServer server;
  const absl::StatusOr<Channels> channels = Connect(server.target(), 1, kPatience);
  const absl::StatusOr<ModelInfo> model = DescribeModel(channels->front(), "letters", kPatience);
  EXPECT_EQ(model.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(std::string(model.status().message()),
            "ModelMetadata of 'letters': no model 'letters'");
}

}  // namespace
}  // namespace escan::loadgen
