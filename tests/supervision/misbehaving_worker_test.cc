// The misbehaving worker keeps its word: other tests rely on it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "supervision/worker_process_fixture.h"

namespace escan {
namespace {

using ::testing::ElementsAre;

class MisbehavingWorkerTest : public WorkerProcessTest {};

TEST_F(MisbehavingWorkerTest, GoodWorkerAnswersFromTheSlab) {
  WorkerProcess process = SpawnReady("good");
  SendBatch(process, {0, 255, 51});
  const auto result = AwaitResult(process);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->header.incarnation, kIncarnation);
  EXPECT_EQ(result->sequence, 77u);
  EXPECT_EQ(result->stage, 0u);
  EXPECT_EQ(result->rows, 3u);
  EXPECT_FLOAT_EQ(result->scores[2], 0.2f);
  EXPECT_EQ(result->status[0], RowStatus::kContinue);
  EXPECT_EQ(result->status[1], RowStatus::kExit);
  EXPECT_EQ(result->status[2], RowStatus::kContinue);
  EXPECT_THAT(Output(3), ElementsAre(0.0f, 0.0f));
  EXPECT_THAT(Output(4), ElementsAre(255.0f, 255.0f));
  EXPECT_THAT(Output(5), ElementsAre(51.0f, 51.0f));

  ASSERT_TRUE(process.socket().Send(StopFrame{}).ok());
  EXPECT_EQ(AwaitExit(process).ToString(), "exit status 0");
}

TEST_F(MisbehavingWorkerTest, PoisonWorkerFailsABadRowAlone) {
  const WorkerProcess process = SpawnReady("poison");
  SendBatch(process, {255, kFailingByte, 1});
  const auto result = AwaitResult(process);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->status[0], RowStatus::kExit);
  EXPECT_EQ(result->status[1], RowStatus::kFailed);
  EXPECT_EQ(result->status[2], RowStatus::kContinue);
  EXPECT_STREQ(result->message.data(), "bad row");
}

TEST_F(MisbehavingWorkerTest, WorkersThatEndBeforeTheyAreReadySayWhereTheyWere) {
  WorkerProcess dying = Spawn("die-before-ready");
  AwaitState(dying, WorkerState::kLoading);
  EXPECT_EQ(Receive(dying).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(AwaitExit(dying).ToString(), "exit status 8");

  WorkerProcess failing = Spawn("fails-to-load");
  EXPECT_STREQ(AwaitState(failing, WorkerState::kFailed).message.data(), "no such model");
  EXPECT_EQ(AwaitExit(failing).ToString(), "exit status 9");
}

TEST_F(MisbehavingWorkerTest, WrongWithOneThreadWorkerSaysSoBeforeItFails) {
  spec_.threads = 1;
  WorkerProcess wrong = Spawn("wrong-with-one-thread");
  const CheckFrame check = AwaitCheck(wrong);
  EXPECT_EQ(check.verdict, Verdict::kWrong);
  EXPECT_STREQ(check.message.data(), "row 0: 1 where 0 is right");
  EXPECT_STREQ(AwaitState(wrong, WorkerState::kFailed).message.data(),
               "stage 'only' answers wrongly: row 0: 1 where 0 is right");
  EXPECT_EQ(AwaitExit(wrong).ToString(), "exit status 1");

  spec_.threads = 2;
  WorkerProcess right = Spawn("wrong-with-one-thread");
  EXPECT_EQ(AwaitCheck(right).verdict, Verdict::kRight);
  AwaitState(right, WorkerState::kReady);
}

TEST_F(MisbehavingWorkerTest, NeverReadyWorkerGoesOnLoading) {
  const WorkerProcess process = Spawn("never-ready");
  AwaitState(process, WorkerState::kLoading);
  AwaitState(process, WorkerState::kLoading);  // a heartbeat
}

TEST_F(MisbehavingWorkerTest, DyingWorkerEndsWithItsBatch) {
  WorkerProcess process = SpawnReady("die-mid-batch");
  SendBatch(process, {1});
  EXPECT_EQ(AwaitResult(process).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(AwaitExit(process).ToString(), "exit status 10");
}

TEST_F(MisbehavingWorkerTest, HangingWorkerOnlySendsHeartbeats) {
  const WorkerProcess process = SpawnReady("hang");
  SendBatch(process, {1});
  EXPECT_TRUE(std::holds_alternative<StateFrame>(*Receive(process)));
  EXPECT_TRUE(std::holds_alternative<StateFrame>(*Receive(process)));
}

TEST_F(MisbehavingWorkerTest, GarbageIsNoFrame) {
  const WorkerProcess process = SpawnReady("garbage");
  SendBatch(process, {1});
  EXPECT_EQ(AwaitResult(process).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(MisbehavingWorkerTest, ClosedSocketIsSeenWhileTheWorkerStays) {
  WorkerProcess process = SpawnReady("closes-socket");
  SendBatch(process, {1});
  EXPECT_EQ(AwaitResult(process).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(process.Reap(), std::nullopt);
}

TEST_F(MisbehavingWorkerTest, FalseAnswersComeBeforeTheTrueOne) {
  for (const char* mode : {"answers-twice", "wrong-sequence", "wrong-incarnation", "wrong-rows"}) {
    SCOPED_TRACE(mode);
    const WorkerProcess process = SpawnReady(mode);
    SendBatch(process, {1, 2});
    const auto first = AwaitResult(process);
    const auto second = AwaitResult(process);
    ASSERT_TRUE(first.ok() && second.ok());
    EXPECT_EQ(first->sequence == 77, mode != std::string("wrong-sequence"));
    EXPECT_EQ(first->header.incarnation == kIncarnation, mode != std::string("wrong-incarnation"));
    EXPECT_EQ(first->rows == 2, mode != std::string("wrong-rows"));
    EXPECT_EQ(second->sequence, 77u);
    EXPECT_EQ(second->header.incarnation, kIncarnation);
    EXPECT_EQ(second->rows, 2u);
  }
}

TEST_F(MisbehavingWorkerTest, WorkerThatIgnoresStopServesOn) {
  const WorkerProcess process = SpawnReady("ignores-stop");
  ASSERT_TRUE(process.socket().Send(StopFrame{}).ok());
  SendBatch(process, {9});
  EXPECT_TRUE(AwaitResult(process).ok());
}

TEST_F(MisbehavingWorkerTest, SilentWorkerEndsWithItsSocketOnly) {
  WorkerProcess process = SpawnReady("no-heartbeat");
  SendBatch(process, {1});
  ASSERT_TRUE(process.socket().Send(StopFrame{}).ok());
  WaitReadable(process.pidfd());
  EXPECT_EQ(process.socket().Receive(/*block=*/false).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(MisbehavingWorkerTest, UnknownModeIsAnError) {
  WorkerProcess process = Spawn("no-such-mode");
  EXPECT_EQ(AwaitExit(process).ToString(), "exit status 2");
}

}  // namespace
}  // namespace escan
