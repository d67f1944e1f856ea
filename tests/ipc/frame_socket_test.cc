#include "ipc/frame_socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <csignal>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace escan {
namespace {

using ::testing::HasSubstr;

class FrameSocketTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto pair = FrameSocket::Pair();
    ASSERT_TRUE(pair.ok()) << pair.status();
    daemon_ = std::move(pair->first);
    worker_ = FrameSocket(std::move(pair->second));
  }

  FrameSocket daemon_;
  FrameSocket worker_;
};

TEST_F(FrameSocketTest, CarriesEveryFrameWhole) {
  BatchFrame batch;
  batch.header.incarnation = 7;
  batch.sequence = uint64_t{1} << 40;
  batch.stage = kMaxStages - 1;
  batch.rows = kMaxBatchRows;
  batch.threshold = 0.25f;
  batch.slots[0] = 11;
  batch.slots[kMaxBatchRows - 1] = 22;
  ASSERT_TRUE(daemon_.Send(batch).ok());
  ASSERT_TRUE(daemon_.Send(StopFrame{}).ok());

  const auto received = worker_.Receive(/*block=*/true);
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_EQ(std::memcmp(&std::get<BatchFrame>(*received), &batch, sizeof(batch)), 0);
  EXPECT_TRUE(std::holds_alternative<StopFrame>(*worker_.Receive(/*block=*/true)));

  ResultFrame result;
  result.rows = kMaxBatchRows;
  result.scores[kMaxBatchRows - 1] = 0.5f;
  result.status[kMaxBatchRows - 1] = RowStatus::kFailed;
  std::strcpy(result.message.data(), "bad row");
  StateFrame state;
  state.state = WorkerState::kWarming;
  state.done = 3;
  state.total = 12;
  ASSERT_TRUE(worker_.Send(result).ok());
  ASSERT_TRUE(worker_.Send(state).ok());
  const auto answered = daemon_.Receive(/*block=*/false);
  ASSERT_TRUE(answered.ok()) << answered.status();
  EXPECT_EQ(std::memcmp(&std::get<ResultFrame>(*answered), &result, sizeof(result)), 0);
  const auto reported = daemon_.Receive(/*block=*/false);
  ASSERT_TRUE(reported.ok()) << reported.status();
  EXPECT_EQ(std::memcmp(&std::get<StateFrame>(*reported), &state, sizeof(state)), 0);
}

TEST_F(FrameSocketTest, IsEmptyAtOnceWhenNothingWaits) {
  EXPECT_TRUE(std::holds_alternative<FrameSocket::Empty>(*daemon_.Receive(/*block=*/false)));
  EXPECT_TRUE(std::holds_alternative<FrameSocket::Empty>(*daemon_.Receive(/*block=*/true)));
  EXPECT_TRUE(std::holds_alternative<FrameSocket::Empty>(*worker_.Receive(/*block=*/false)));
}

TEST_F(FrameSocketTest, BlocksAtTheWorkersEndUntilAFrameComes) {
  std::thread sender([this] { EXPECT_TRUE(daemon_.Send(StopFrame{}).ok()); });
  const auto received = worker_.Receive(/*block=*/true);
  sender.join();
  ASSERT_TRUE(received.ok());
  EXPECT_TRUE(std::holds_alternative<StopFrame>(*received));
}

TEST_F(FrameSocketTest, TakesFramesFromSeveralThreads) {
  constexpr int kEach = 200;
  const auto send = [this] {
    for (int i = 0; i < kEach; ++i) EXPECT_TRUE(worker_.Send(StateFrame{}).ok());
  };
  std::thread first(send);
  std::thread second(send);
  int received = 0;
  while (received < 2 * kEach) {
    const auto frame = daemon_.Receive(/*block=*/false);
    ASSERT_TRUE(frame.ok()) << frame.status();
    if (std::holds_alternative<StateFrame>(*frame)) ++received;
  }
  first.join();
  second.join();
}

TEST_F(FrameSocketTest, RefusesWhenThePeerReadsNothing) {
  BatchFrame batch;
  batch.rows = 1;
  int sent = 0;
  absl::Status status;
  while ((status = daemon_.Send(batch)).ok()) ++sent;
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_GE(sent, 16);
  ASSERT_TRUE(worker_.Receive(/*block=*/true).ok());
}

TEST_F(FrameSocketTest, SaysThatThePeerIsGone) {
  ASSERT_TRUE(worker_.Send(StateFrame{}).ok());
  worker_ = FrameSocket();
  EXPECT_EQ(daemon_.Send(StopFrame{}).code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(std::holds_alternative<StateFrame>(*daemon_.Receive(/*block=*/false)));
  EXPECT_EQ(daemon_.Receive(/*block=*/false).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(FrameSocketTest, DeliversLastWordsOfAPeerThatLeftFramesUnread) {
  ASSERT_TRUE(daemon_.Send(StopFrame{}).ok());
  StateFrame last_words;
  last_words.state = WorkerState::kFailed;
  ASSERT_TRUE(worker_.Send(last_words).ok());
  worker_ = FrameSocket();
  const auto received = daemon_.Receive(/*block=*/false);
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_TRUE(std::holds_alternative<StateFrame>(*received));
  EXPECT_EQ(daemon_.Receive(/*block=*/false).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(FrameSocketTest, ClosesOnExec) {
  EXPECT_EQ(::fcntl(daemon_.fd(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(worker_.fd(), F_GETFD), FD_CLOEXEC);
}

// --- what is no frame

struct BadFrame {
  std::string name;
  std::vector<std::byte> bytes;
  std::string error;
};

std::ostream& operator<<(std::ostream& out, const BadFrame& frame) { return out << frame.name; }

template <typename FrameT>
std::vector<std::byte> Bytes(const FrameT& frame, size_t size = sizeof(FrameT)) {
  std::vector<std::byte> bytes(size);
  std::memcpy(bytes.data(), &frame, std::min(size, sizeof(frame)));
  return bytes;
}

// A valid frame but for what `spoil` does to it.
template <typename FrameT>
std::vector<std::byte> Spoilt(const std::function<void(FrameT&)>& spoil) {
  FrameT frame;
  if constexpr (requires { frame.rows; }) frame.rows = 1;
  spoil(frame);
  return Bytes(frame);
}

std::vector<BadFrame> BadFrames() {
  BatchFrame batch;
  batch.rows = 1;
  std::vector<BadFrame> frames = {
      {"AFewBytes", std::vector<std::byte>(3), "found 3 bytes, expected at least 16"},
      {"Zeros", std::vector<std::byte>(sizeof(BatchFrame)), "found magic 0 version 0"},
      {"Long", std::vector<std::byte>(100000), "found magic 0 version 0"},
      {"Magic", Spoilt<BatchFrame>([](auto& f) { f.header.magic = 0xbad; }), "found magic bad"},
      {"Version", Spoilt<BatchFrame>([](auto& f) { f.header.version = 9; }),
       "version 9, expected magic 4e414353 version 3"},
      {"Type", Spoilt<BatchFrame>([](auto& f) { f.header.type = FrameType{6}; }), "found type 6"},
      {"TypeZero", Spoilt<BatchFrame>([](auto& f) { f.header.type = FrameType{0}; }),
       "found type 0"},
      {"ShortBatch", Bytes(batch, sizeof(batch) - 1), "found 1063 bytes of a type that has 1064"},
      {"LongBatch", Bytes(batch, sizeof(batch) + 1), "found 1065 bytes of a type that has 1064"},
      {"LongerThanAnyFrame", Bytes(batch, 5000), "found 5000 bytes of a type that has 1064"},
      {"HeaderOfAResult", Bytes(FrameHeader{.type = FrameType::kResult}),
       "found 16 bytes of a type that has 1576"},
      {"LongStop", Bytes(StopFrame{}, 17), "found 17 bytes of a type that has 16"},
      {"LongState", Bytes(StateFrame{}, 513), "found 513 bytes of a type that has 512"},
      {"BatchOfNoRows", Spoilt<BatchFrame>([](auto& f) { f.rows = 0; }),
       "found 0 rows, expected 1 to 256"},
      {"BatchOfTooManyRows", Spoilt<BatchFrame>([](auto& f) { f.rows = 257; }),
       "found 257 rows, expected 1 to 256"},
      {"BatchOfNoStage", Spoilt<BatchFrame>([](auto& f) { f.stage = 8; }),
       "found stage 8, expected less than 8"},
      {"ResultOfNoRows", Spoilt<ResultFrame>([](auto& f) { f.rows = 0; }), "found 0 rows"},
      {"ResultOfTooManyRows", Spoilt<ResultFrame>([](auto& f) { f.rows = 1u << 31; }),
       "found 2147483648 rows"},
      {"ResultOfNoStage", Spoilt<ResultFrame>([](auto& f) { f.stage = 8; }), "found stage 8"},
      {"ResultOfUnknownStatus", Spoilt<ResultFrame>([](auto& f) { f.status[0] = RowStatus{4}; }),
       "found status 4 of row 0"},
      {"ResultMessageWithoutEnd", Spoilt<ResultFrame>([](auto& f) { f.message.fill('x'); }),
       "found no end of its message in 256 bytes"},
      {"UnknownState", Spoilt<StateFrame>([](auto& f) { f.state = WorkerState{6}; }),
       "found state 6, expected at most 5"},
      {"StateMessageWithoutEnd", Spoilt<StateFrame>([](auto& f) { f.message.fill('x'); }),
       "found no end of its message in 464 bytes"},
      {"CheckOfNoRows", Spoilt<CheckFrame>([](auto& f) { f.rows = 0; }), "found 0 rows"},
      {"UnknownVerdict", Spoilt<CheckFrame>([](auto& f) { f.verdict = Verdict{4}; }),
       "found verdict 4, expected at most 3"},
      {"CheckWayWithoutEnd", Spoilt<CheckFrame>([](auto& f) { f.way.fill('x'); }),
       "found no end of its message in 128 bytes"},
      {"CheckMessageWithoutEnd", Spoilt<CheckFrame>([](auto& f) { f.message.fill('x'); }),
       "found no end of its message in 328 bytes"},
  };
  return frames;
}

class BadFrameTest : public FrameSocketTest, public ::testing::WithParamInterface<BadFrame> {};

TEST_P(BadFrameTest, IsRecognisedAndHarmsNoLaterOne) {
  const BadFrame& bad = GetParam();
  ASSERT_EQ(::send(worker_.fd(), bad.bytes.data(), bad.bytes.size(), 0),
            static_cast<ssize_t>(bad.bytes.size()));
  ASSERT_TRUE(worker_.Send(StateFrame{}).ok());
  const auto received = daemon_.Receive(/*block=*/false);
  EXPECT_EQ(received.status().code(), absl::StatusCode::kDataLoss) << received.status();
  EXPECT_THAT(std::string(received.status().message()), HasSubstr(bad.error));
  const auto next = daemon_.Receive(/*block=*/false);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_TRUE(std::holds_alternative<StateFrame>(*next));
}

INSTANTIATE_TEST_SUITE_P(FrameSocket, BadFrameTest, ::testing::ValuesIn(BadFrames()),
                         [](const auto& info) { return info.param.name; });

TEST_F(FrameSocketTest, IgnoresTheStatusOfRowsThatAreNotThere) {
  ResultFrame result;
  result.rows = 1;
  result.status[1] = RowStatus{77};
  ASSERT_TRUE(worker_.Send(result).ok());
  EXPECT_TRUE(daemon_.Receive(/*block=*/false).ok());
}

TEST_F(FrameSocketTest, CarriesWhatACheckHasShown) {
  CheckFrame check;
  check.stage = 2;
  check.rows = 64;
  check.verdict = Verdict::kRightByRemedy;
  check.step_ns = 1'234'567;
  std::strcpy(check.way.data(), "frozen, cublaslt");
  ASSERT_TRUE(worker_.Send(check).ok());
  const auto received = daemon_.Receive(/*block=*/false);
  ASSERT_TRUE(received.ok()) << received.status();
  ASSERT_TRUE(std::holds_alternative<CheckFrame>(*received));
  EXPECT_EQ(std::memcmp(&std::get<CheckFrame>(*received), &check, sizeof(check)), 0);
}

TEST(Verdict, HasAName) {
  EXPECT_EQ(Name(Verdict::kRight), "right");
  EXPECT_EQ(Name(Verdict::kRightByRemedy), "right by remedy");
  EXPECT_EQ(Name(Verdict::kWrong), "wrong");
  EXPECT_EQ(Name(Verdict::kUnknown), "unknown");
}

TEST(WorkerState, HasAName) {
  EXPECT_EQ(Name(WorkerState::kStarting), "starting");
  EXPECT_EQ(Name(WorkerState::kLoading), "loading");
  EXPECT_EQ(Name(WorkerState::kWarming), "warming");
  EXPECT_EQ(Name(WorkerState::kReady), "ready");
  EXPECT_EQ(Name(WorkerState::kFailed), "failed");
}

}  // namespace
}  // namespace escan
