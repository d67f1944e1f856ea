#include "worker/loop/worker_loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "worker/loop/worker_loop_fixture.h"

namespace escan {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST_F(WorkerLoopTest, ReportsEachStepUntilItIsReady) {
  SendStop();
  ASSERT_TRUE(RunToItsEnd().ok());
  std::vector<std::string> states;
  for (int i = 0; i < 4; ++i) {
    const std::optional<StateFrame> frame = daemon_.Next<StateFrame>();
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->header.incarnation, spec_.incarnation);
    states.push_back(
        absl::StrCat(std::string(Name(frame->state)), " ", frame->done, "/", frame->total));
  }
  EXPECT_EQ(states,
            (std::vector<std::string>{"loading 0/0", "warming 0/2", "warming 1/2", "ready 0/0"}));
}

TEST_F(WorkerLoopTest, ReportsWhatItTakesOfAGpu) {
  spec_.gpu = "GPU-1";
  executor_.use = {.multiprocessors = 66, .memory_bytes = 1234};
  SendStop();
  ASSERT_TRUE(RunToItsEnd().ok());
  for (const WorkerState state : {WorkerState::kCapturing, WorkerState::kReady}) {
    const std::optional<StateFrame> frame = daemon_.NextState(state);
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->multiprocessors, 66u);
    EXPECT_EQ(frame->device_memory, 1234u);
  }
}

TEST_F(WorkerLoopTest, ReportsItsChecksBeforeItIsReady) {
  executor_.found = {{.stage = 2,
                      .rows = 4,
                      .verdict = Verdict::kRightByRemedy,
                      .step = std::chrono::nanoseconds(1500),
                      .least_score = 0.25f,
                      .greatest_score = kNan,
                      .way = "fused, cublaslt",
                      .message = "cublas was wrong"},
                     {.stage = 2, .rows = 16, .message = std::string(1000, 'x')}};
  SendStop();
  ASSERT_TRUE(RunToItsEnd().ok());
  EXPECT_EQ(FramesToTheEnd(), (std::vector<std::string>{"loading", "warming", "warming", "check 4",
                                                        "check 16", "ready"}));
  ASSERT_EQ(checks_.size(), 2u);
  const CheckFrame& first = checks_.front();
  EXPECT_EQ(first.header.incarnation, spec_.incarnation);
  EXPECT_EQ(first.stage, 2u);
  EXPECT_EQ(first.verdict, Verdict::kRightByRemedy);
  EXPECT_EQ(first.step_ns, 1500u);
  EXPECT_EQ(first.least_score, 0.25f);
  EXPECT_TRUE(std::isnan(first.greatest_score));
  EXPECT_STREQ(first.way.data(), "fused, cublaslt");
  EXPECT_STREQ(first.message.data(), "cublas was wrong");
  EXPECT_EQ(std::string(checks_.back().message.data()), std::string(first.message.size() - 1, 'x'));
}

TEST_F(WorkerLoopTest, ReportsItsChecksBeforeItFails) {
  executor_.found = {{.rows = 1, .verdict = Verdict::kWrong, .message = "row 0: ..."}};
  executor_.prepare_status = absl::DataLossError("stage 'only' answers wrongly: row 0: ...");
  EXPECT_EQ(RunToItsEnd(), executor_.prepare_status);
  EXPECT_EQ(FramesToTheEnd(),
            (std::vector<std::string>{"loading", "warming", "warming", "check 1", "failed"}));
  EXPECT_EQ(checks_.front().verdict, Verdict::kWrong);
}

TEST_F(WorkerLoopTest, TakesUpWhatComesWhileABatchIsComputed) {
  // The second batch comes while the loop waits for the first, and the third finds no credit.
  bool sent = false;
  executor_.on_await = [&](int fd) {
    EXPECT_EQ(fd, worker_socket_.fd());
    if (!std::exchange(sent, true)) {
      Send(2, {2});
      Send(3, {3});
    }
  };
  executor_.on_finish = [&] {
    if (executor_.calls.back() == "finish 3") SendStop();
  };
  Send(1, {1});
  ASSERT_TRUE(RunToItsEnd().ok());
  EXPECT_EQ(executor_.calls, (std::vector<std::string>{"start 1", "start 2", "finish 1", "start 3",
                                                       "finish 2", "finish 3"}));
}

TEST_F(WorkerLoopTest, DoesNotWaitForAnotherBatchWithOneCredit) {
  spec_.credits = 1;
  executor_.on_await = [](int) { FAIL() << "nothing can be taken up"; };
  Send(1, {1});
  SendStop();
  ASSERT_TRUE(RunToItsEnd().ok());
}

TEST_F(WorkerLoopTest, AnswersInTheOrderOfTheBatches) {
  Send(11, {1, 2});
  Send(12, {3});
  Send(13, {4, 5, 6});
  SendStop();
  ASSERT_TRUE(RunToItsEnd().ok());
  for (const auto& [sequence, rows] :
       std::vector<std::pair<uint64_t, uint32_t>>{{11, 2}, {12, 1}, {13, 3}}) {
    const std::optional<ResultFrame> result = daemon_.Next<ResultFrame>();
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->header.incarnation, spec_.incarnation);
    EXPECT_EQ(result->sequence, sequence);
    EXPECT_EQ(result->stage, 0u);
    EXPECT_EQ(result->rows, rows);
  }
}

TEST_F(WorkerLoopTest, TakesUpAsManyBatchesAsItHasCredits) {
  for (const SlotId slot : {1u, 2u, 3u}) Send(slot, {slot});
  SendStop();
  ASSERT_TRUE(RunToItsEnd().ok());
  EXPECT_EQ(executor_.calls, (std::vector<std::string>{"start 1", "start 2", "finish 1", "start 3",
                                                       "finish 2", "finish 3"}));
}

TEST_F(WorkerLoopTest, TakesUpOneBatchAtATimeWithOneCredit) {
  spec_.credits = 1;
  for (const SlotId slot : {1u, 2u}) Send(slot, {slot});
  SendStop();
  ASSERT_TRUE(RunToItsEnd().ok());
  EXPECT_EQ(executor_.calls,
            (std::vector<std::string>{"start 1", "finish 1", "start 2", "finish 2"}));
}

TEST_F(WorkerLoopTest, DoesNotKeepABatchBackWhileACreditIsLeft) {
  StartLoop();
  Send(1, {1});
  EXPECT_TRUE(daemon_.Next<ResultFrame>().has_value());
  SendStop();
  EXPECT_TRUE(Join().ok());
}

TEST_F(WorkerLoopTest, TakesUpNothingAfterAStop) {
  Send(1, {1});
  SendStop();
  Send(2, {2});
  ASSERT_TRUE(RunToItsEnd().ok());
  EXPECT_EQ(executor_.calls, (std::vector<std::string>{"start 1", "finish 1"}));
}

TEST_F(WorkerLoopTest, ARowExitsFromTheThresholdOn) {
  executor_.score_of_slot[1] = 0.5f;
  executor_.score_of_slot[2] = std::nextafter(0.5f, 0.0f);
  executor_.score_of_slot[3] = 1;
  Send(1, {1, 2, 3}, /*threshold=*/0.5f);
  SendStop();
  ASSERT_TRUE(RunToItsEnd().ok());
  const std::optional<ResultFrame> result = daemon_.Next<ResultFrame>();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->status[0], RowStatus::kExit);
  EXPECT_EQ(result->status[1], RowStatus::kContinue);
  EXPECT_EQ(result->status[2], RowStatus::kExit);
  EXPECT_EQ(result->scores[1], executor_.score_of_slot[2]);
}

TEST_F(WorkerLoopTest, NanNeverExits) {
  executor_.score_of_slot[1] = kNan;
  executor_.score_of_slot[2] = 1;
  Send(1, {1}, /*threshold=*/0);
  Send(2, {2}, /*threshold=*/kNan);
  SendStop();
  ASSERT_TRUE(RunToItsEnd().ok());
  EXPECT_EQ(daemon_.Next<ResultFrame>()->status[0], RowStatus::kContinue);
  EXPECT_EQ(daemon_.Next<ResultFrame>()->status[0], RowStatus::kContinue);
}

TEST_F(WorkerLoopTest, WarnsOfAScoreThatIsNanUnlessItOnlyCompares) {
  spec_.stages[0].score = ExitScore::kMargin;
  ScoreWatch scores(spec_.stages, bench_.slab(),
                    [this](const std::string& fields) { warnings_.push_back(fields); });
  WorkerLoop loop(spec_, worker_socket_, executor_, reporter_, scores);
  executor_.score_of_slot[1] = kNan;
  BatchFrame frame;
  frame.header.incarnation = spec_.incarnation;
  frame.rows = 1;
  frame.slots = {1};
  frame.compare = 1;
  executor_.on_finish = [&] { EXPECT_TRUE(warnings_.empty()); };
  Send(frame);
  Send(2, {1});
  SendStop();
  spec_.credits = 1;
  ASSERT_TRUE(loop.Prepare().ok());
  ASSERT_TRUE(loop.Serve().ok());
  EXPECT_EQ(warnings_, (std::vector<std::string>{"event=score_nan stage=only score=margin "
                                                 "reason=\"'p' sums to 0, not 1: no softmax?\""}));
}

TEST_F(WorkerLoopTest, AFailedRowIsMarkedAndSaysWhy) {
  executor_.failing_slot = 2;
  executor_.score_of_slot[2] = 1;
  Send(1, {1, 2, 3});
  Send(2, {3});
  SendStop();
  ASSERT_TRUE(RunToItsEnd().ok());
  const std::optional<ResultFrame> result = daemon_.Next<ResultFrame>();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->status[0], RowStatus::kExit);
  EXPECT_EQ(result->status[1], RowStatus::kFailed);
  EXPECT_EQ(result->status[2], RowStatus::kExit);
  EXPECT_STREQ(result->message.data(), "the model threw");
  EXPECT_STREQ(daemon_.Next<ResultFrame>()->message.data(), "");
}

TEST_F(WorkerLoopTest, SaysWhichRowsOfABatchToCompareDiffer) {
  executor_.differing_slot = 2;
  executor_.failing_slot = 3;
  BatchFrame frame;
  frame.header.incarnation = spec_.incarnation;
  frame.rows = 3;
  frame.slots = {1, 2, 3};
  frame.compare = 1;
  Send(frame);
  SendStop();
  ASSERT_TRUE(RunToItsEnd().ok());
  EXPECT_EQ(executor_.calls, (std::vector<std::string>{"compare 1", "finish 1"}));
  const std::optional<ResultFrame> result = daemon_.Next<ResultFrame>();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->status[0], RowStatus::kContinue) << "nothing exits twice";
  EXPECT_EQ(result->status[1], RowStatus::kDiffers);
  EXPECT_EQ(result->status[2], RowStatus::kFailed);
}

TEST_F(WorkerLoopTest, CutsAMessageThatIsLongerThanItsField) {
  executor_.failing_slot = 1;
  executor_.failure = std::string(1000, 'x');
  Send(1, {1});
  SendStop();
  ASSERT_TRUE(RunToItsEnd().ok());
  const std::optional<ResultFrame> result = daemon_.Next<ResultFrame>();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(std::string(result->message.data()), std::string(result->message.size() - 1, 'x'));
}

TEST_F(WorkerLoopTest, AnErrorOfPreparationIsReportedAndEndsIt) {
  executor_.prepare_status = absl::InvalidArgumentError("stage 'only' (a.pt): broken");
  EXPECT_EQ(RunToItsEnd(), executor_.prepare_status);
  const std::optional<StateFrame> failed = daemon_.NextState(WorkerState::kFailed);
  ASSERT_TRUE(failed.has_value());
  EXPECT_STREQ(failed->message.data(), "stage 'only' (a.pt): broken");
}

TEST_F(WorkerLoopTest, AnErrorOfTheExecutorIsReportedAndEndsIt) {
  executor_.finish_status = absl::InternalError("the device is lost");
  Send(1, {1});
  EXPECT_EQ(RunToItsEnd(), executor_.finish_status);
  const std::optional<StateFrame> failed = daemon_.NextState(WorkerState::kFailed);
  ASSERT_TRUE(failed.has_value());
  EXPECT_STREQ(failed->message.data(), "the device is lost");
  EXPECT_EQ(failed->device_fault, 0u);
}

TEST_F(WorkerLoopTest, TellsAFaultOfTheDeviceFromItsOwn) {
  executor_.finish_status = absl::AbortedError("an illegal address");
  Send(1, {1});
  EXPECT_EQ(RunToItsEnd(), executor_.finish_status);
  const std::optional<StateFrame> failed = daemon_.NextState(WorkerState::kFailed);
  ASSERT_TRUE(failed.has_value());
  EXPECT_STREQ(failed->message.data(), "an illegal address");
  EXPECT_EQ(failed->device_fault, 1u);
}

TEST_F(WorkerLoopTest, AnErrorOfTakingUpABatchEndsItToo) {
  executor_.start_status = absl::InternalError("the device is lost");
  Send(1, {1});
  EXPECT_EQ(RunToItsEnd(), executor_.start_status);
}

TEST_F(WorkerLoopTest, EndsWhenTheDaemonIsGoneWhileItWaits) {
  StartLoop();
  ASSERT_TRUE(daemon_.NextState(WorkerState::kReady).has_value());
  daemon_.Close();
  EXPECT_EQ(Join().code(), absl::StatusCode::kUnavailable);
}

TEST_F(WorkerLoopTest, EndsAfterItsBatchWhenTheDaemonIsGoneMeanwhile) {
  spec_.credits = 1;
  executor_.on_finish = [this] { daemon_.Close(); };
  Send(1, {1});
  Send(2, {2});
  EXPECT_EQ(RunToItsEnd().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(executor_.calls, (std::vector<std::string>{"start 1", "finish 1"}));
}

TEST_F(WorkerLoopTest, DropsABatchOfAnotherIncarnation) {
  BatchFrame stale;
  stale.header.incarnation = spec_.incarnation - 1;
  stale.rows = 1;
  Send(stale);
  Send(2, {2});
  SendStop();
  ASSERT_TRUE(RunToItsEnd().ok());
  EXPECT_EQ(executor_.calls, (std::vector<std::string>{"start 2", "finish 2"}));
}

TEST_F(WorkerLoopTest, RefusesAStageThatItDoesNotHost) {
  BatchFrame frame;
  frame.header.incarnation = spec_.incarnation;
  frame.stage = 3;
  frame.rows = 1;
  Send(frame);
  const absl::Status status = RunToItsEnd();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status.message(), "batch: found stage 3, which this worker does not host");
}

TEST_F(WorkerLoopTest, RefusesASlotOutsideTheSlab) {
  Send(1, {1, 64});
  const absl::Status status = RunToItsEnd();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status.message(), "batch: found slot 64, expected less than 64");
}

TEST_F(WorkerLoopTest, RefusesMoreRowsThanTheLargestBucket) {
  Send(1, {1, 2, 3, 4, 5});
  const absl::Status status = RunToItsEnd();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status.message(), "batch: found 5 rows for stage 'only', expected at most 4");
}

TEST_F(WorkerLoopTest, EndsOnGarbage) {
  ASSERT_EQ(::send(daemon_.socket().fd(), "garbage", 7, 0), 7);
  EXPECT_EQ(RunToItsEnd().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(daemon_.NextState(WorkerState::kFailed).has_value());
}

TEST_F(WorkerLoopTest, EndsOnAFrameThatOnlyAWorkerSends) {
  ASSERT_TRUE(daemon_.socket().Send(StateFrame{}).ok());
  EXPECT_EQ(RunToItsEnd().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace escan
