#include "loadgen/load_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "support/temporary_folder.h"

namespace escan::loadgen {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr RowChunks kOneRow{.total_rows = 1, .rows_per_request = 1};

// Gives every request to a function of the test, on the sending thread.
class FakeTransport : public Transport {
 public:
  using OnSend = std::function<void(AnswerListener&, const OutgoingRequest&)>;

  explicit FakeTransport(OnSend on_send, int lanes = 1)
      : on_send_(std::move(on_send)), lanes_(lanes) {}

  int connections() const override { return 2; }
  int lanes() const override { return lanes_; }
  void SetListener(AnswerListener* listener) override { listener_ = listener; }
  void Send(const OutgoingRequest& request) override { on_send_(*listener_, request); }

 private:
  const OnSend on_send_;
  const int lanes_;
  AnswerListener* listener_ = nullptr;
};

OpenLoop ConstantRate(double rate) {
  return {.arrivals = Arrivals::kConstant,
          .rate = rate,
          .max_outstanding = 1000,
          .max_lateness = std::chrono::hours(1)};
}

void Answer(AnswerListener& listener, const OutgoingRequest& request) {
  listener.OnAnswer(0, request, absl::OkStatus(), {});
}

// Keeps the sending thread busy until `time`.
void BusyUntil(TimePoint time) {
  while (Clock::now() < time) {
  }
}

Outcome RunToItsEnd(LoadRun& run) {
  run.Start();
  while (!run.WaitUntil(Clock::now() + seconds(1))) {
  }
  return run.Finish();
}

TEST(OpenLoop, LatencyCountsFromTheScheduledTimeWhenTheGeneratorIsLate) {
  // The first sending takes 60 ms, in which five more requests become due, 10 ms apart.
  std::optional<TimePoint> first_due;
  FakeTransport transport([&](AnswerListener& listener, const OutgoingRequest& request) {
    if (!first_due) {
      first_due = request.due;
      BusyUntil(request.due + milliseconds(60));
    }
    Answer(listener, request);
  });
  LoadRun run(kOneRow, {.requests = 6}, ConstantRate(100), {}, &transport);
  const Outcome outcome = RunToItsEnd(run);
  ASSERT_EQ(outcome.tally.succeeded(), 6);
  ASSERT_EQ(outcome.lateness.size(), 6u);
  for (size_t i = 0; i < 6; ++i) {
    const auto waited = milliseconds(60) - i * milliseconds(10);
    EXPECT_GE(outcome.tally.latencies()[i], waited);
    EXPECT_GE(outcome.lateness[i], i == 0 ? Duration::zero() : waited);
  }
}

TEST(OpenLoop, ARequestThatIsTooLateIsCountedAsNotSent) {
  FakeTransport transport([](AnswerListener& listener, const OutgoingRequest& request) {
    BusyUntil(request.due + milliseconds(100));
    Answer(listener, request);
  });
  OpenLoop pace = ConstantRate(1000);
  pace.max_lateness = milliseconds(20);
  LoadRun run(kOneRow, {.requests = 10}, pace, {}, &transport);
  const Outcome outcome = RunToItsEnd(run);
  EXPECT_LE(outcome.tally.succeeded(), 1);
  EXPECT_EQ(outcome.tally.succeeded() + outcome.not_sent.late, 10);
  EXPECT_EQ(outcome.not_sent.outstanding, 0);
}

TEST(OpenLoop, SendsNoMoreThanTheOutstandingLimitAndCountsTheRest) {
  std::mutex mutex;
  std::vector<OutgoingRequest> kept;
  AnswerListener* answers = nullptr;
  FakeTransport transport([&](AnswerListener& listener, const OutgoingRequest& request) {
    const std::lock_guard lock(mutex);
    answers = &listener;
    kept.push_back(request);
  });
  OpenLoop pace = ConstantRate(10000);
  pace.max_outstanding = 3;
  LoadRun run(kOneRow, {.requests = 10}, pace, {}, &transport);
  run.Start();
  while (run.progress().not_sent < 7) std::this_thread::yield();
  EXPECT_EQ(run.progress().in_flight, 3);
  EXPECT_FALSE(run.WaitUntil(Clock::now()));
  {
    const std::lock_guard lock(mutex);
    for (const OutgoingRequest& request : kept) Answer(*answers, request);
  }
  while (!run.WaitUntil(Clock::now() + seconds(1))) {
  }
  const Outcome outcome = run.Finish();
  EXPECT_EQ(outcome.tally.succeeded(), 3);
  EXPECT_EQ(outcome.not_sent.outstanding, 7);
}

TEST(OpenLoop, SendsOneRequestWhileAnotherIsBeingSent) {
  // Each sending ends only when three are under way, so one thread could not send any but the
  // first.
  constexpr int kLanes = 3;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<OutgoingRequest> sent;
  FakeTransport transport(
      [&](AnswerListener& listener, const OutgoingRequest& request) {
        std::unique_lock lock(mutex);
        sent.push_back(request);
        const size_t turn = (sent.size() + kLanes - 1) / kLanes * kLanes;
        changed.notify_all();
        changed.wait(lock, [&] { return sent.size() >= turn; });
        Answer(listener, request);
      },
      kLanes);
  LoadRun run(kOneRow, {.requests = 12}, ConstantRate(10000), {}, &transport);
  const Outcome outcome = RunToItsEnd(run);
  EXPECT_EQ(outcome.tally.succeeded(), 12);
  EXPECT_EQ(outcome.lateness.size(), 12u);
  std::ranges::sort(sent, {}, &OutgoingRequest::due);
  for (size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ(sent[i].ticket.request, static_cast<int64_t>(i));
    EXPECT_EQ(sent[i].connection, static_cast<int>(i % 2));
  }
}

TEST(OpenLoop, EndsAtItsLimitOfMisses) {
  // Failures, refusals by the generator and late answers all count, but not in the warm-up.
  FakeTransport transport([](AnswerListener& listener, const OutgoingRequest& request) {
    if (request.ticket.request % 2 == 0) {
      listener.OnAnswer(0, request, absl::ResourceExhaustedError("full"), {});
    } else {
      Answer(listener, request);
    }
  });
  LoadRun run(kOneRow,
              {.warmup_requests = 20,
               .duration = std::chrono::hours(1),
               .misses = MissLimit{.latency = std::chrono::hours(1), .misses = 5}},
              ConstantRate(10000), {}, &transport);
  const Outcome outcome = RunToItsEnd(run);
  EXPECT_TRUE(outcome.gave_up);
  EXPECT_FALSE(outcome.interrupted);
  EXPECT_GE(outcome.tally.failed(), 5);
  EXPECT_LT(outcome.schedule_span, std::chrono::hours(1));
}

TEST(OpenLoop, AnAnswerThatIsLateIsAMiss) {
  FakeTransport transport(Answer);
  LoadRun run(kOneRow,
              {.requests = 1000000, .misses = MissLimit{.latency = Duration(-1), .misses = 1}},
              ConstantRate(100000), {}, &transport);
  EXPECT_TRUE(RunToItsEnd(run).gave_up);
}

TEST(OpenLoop, AnswersKnowWhenTheyWereDue) {
  FakeTransport transport(Answer);
  LoadRun run(kOneRow, {.warmup = milliseconds(3), .requests = 3}, ConstantRate(1000), {},
              &transport);
  const Outcome outcome = RunToItsEnd(run);
  ASSERT_EQ(outcome.tally.succeeded(), 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(outcome.tally.answers()[static_cast<size_t>(i)].due, milliseconds(i));
  }
}

TEST(OpenLoop, TheElapsedTimeIsAtLeastTheScheduleAndTheLastAnswer) {
  TimePoint answered;
  std::optional<TimePoint> first_due;
  FakeTransport transport([&](AnswerListener& listener, const OutgoingRequest& request) {
    if (!first_due) first_due = request.due;
    answered = Clock::now();
    Answer(listener, request);
  });
  LoadRun run(kOneRow, {.requests = 5}, ConstantRate(1000), {}, &transport);
  const Outcome outcome = RunToItsEnd(run);
  EXPECT_EQ(outcome.schedule_span, milliseconds(5));
  EXPECT_GE(outcome.elapsed, outcome.schedule_span);
  EXPECT_GE(outcome.elapsed, answered - *first_due);
}

TEST(OpenLoop, ExitsAreCountedInTheSegmentOfTheScheduledTime) {
  // Requests are due 1 ms apart, the ratios change after 4 ms, and the sending is far behind.
  const TemporaryFolder folder;
  const ExitSchedule exits =
      *ExitSchedule::FromFile(folder.Write("drift.csv", "seconds,exit_1\n0,1\n0.0035,0\n"));
  FakeTransport transport([&](AnswerListener& listener, const OutgoingRequest& request) {
    if (request.ticket.request == 0) BusyUntil(request.due + milliseconds(20));
    const int32_t stage = request.ticket.exit_segment + 1;
    listener.OnAnswer(0, request, absl::OkStatus(),
                      {{reinterpret_cast<const char*>(&stage), sizeof(stage)}, {}});
  });
  LoadRun run(kOneRow, {.requests = 10}, ConstantRate(1000), {}, &transport, exits);
  const Tally tally = RunToItsEnd(run).tally;
  EXPECT_EQ(tally.exits_in(0).at(1).samples, 4);
  EXPECT_EQ(tally.exits_in(1).at(2).samples, 6);
}

TEST(ClosedLoop, KeepsTheConcurrencyAndSendsEachSampleOnce) {
  std::vector<OutgoingRequest> waiting;
  std::vector<int64_t> rows;
  AnswerListener* answers = nullptr;
  FakeTransport transport([&](AnswerListener& listener, const OutgoingRequest& request) {
    answers = &listener;
    waiting.push_back(request);
    rows.push_back(request.ticket.first_row);
  });
  LoadRun run({.total_rows = 6, .rows_per_request = 1}, {.requests = 6},
              ClosedLoop{.concurrency = 4}, {}, &transport);
  run.Start();
  EXPECT_EQ(waiting.size(), 4u);
  while (!waiting.empty()) {
    const OutgoingRequest request = waiting.front();
    waiting.erase(waiting.begin());
    Answer(*answers, request);
    EXPECT_LE(waiting.size(), 4u);
  }
  EXPECT_TRUE(run.WaitUntil(Clock::now()));
  EXPECT_EQ(rows, (std::vector<int64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(run.Finish().tally.succeeded(), 6);
}

TEST(ClosedLoop, FewerRequestsThanSlotsStillEnd) {
  FakeTransport transport(Answer);
  LoadRun run(kOneRow, {.requests = 2}, ClosedLoop{.concurrency = 16}, {}, &transport);
  EXPECT_EQ(RunToItsEnd(run).tally.succeeded(), 2);
}

TEST(LoadRun, TheWarmupIsSentAndNotCounted) {
  int sent = 0;
  FakeTransport transport([&](AnswerListener& listener, const OutgoingRequest& request) {
    ++sent;
    Answer(listener, request);
  });
  LoadRun run(kOneRow, {.warmup_requests = 5, .requests = 7}, ClosedLoop{.concurrency = 1}, {},
              &transport);
  const Outcome outcome = RunToItsEnd(run);
  EXPECT_EQ(sent, 12);
  EXPECT_EQ(outcome.tally.succeeded(), 7);
  EXPECT_EQ(run.progress().answered, 12);
}

TEST(LoadRun, StopEndsItOnceWhatIsUnderWayIsAnswered) {
  std::vector<OutgoingRequest> waiting;
  AnswerListener* answers = nullptr;
  FakeTransport transport([&](AnswerListener& listener, const OutgoingRequest& request) {
    answers = &listener;
    waiting.push_back(request);
  });
  LoadRun run(kOneRow, {.duration = std::chrono::hours(1)}, ClosedLoop{.concurrency = 2}, {},
              &transport);
  run.Start();
  run.Stop();
  EXPECT_FALSE(run.WaitUntil(Clock::now()));
  for (const OutgoingRequest& request : waiting) Answer(*answers, request);
  ASSERT_TRUE(run.WaitUntil(Clock::now()));
  const Outcome outcome = run.Finish();
  EXPECT_TRUE(outcome.interrupted);
  EXPECT_EQ(outcome.tally.succeeded(), 2);
}

TEST(LoadRun, StopWakesASleepingOpenLoop) {
  FakeTransport transport(Answer);
  OpenLoop pace = ConstantRate(1.0 / 3600);  // the second request is due after an hour
  LoadRun run(kOneRow, {.requests = 2}, pace, {}, &transport);
  run.Start();
  while (run.progress().answered < 1) std::this_thread::yield();
  run.Stop();
  while (!run.WaitUntil(Clock::now() + seconds(1))) {
  }
  const Outcome outcome = run.Finish();
  EXPECT_TRUE(outcome.interrupted);
  EXPECT_EQ(outcome.tally.succeeded(), 1);
  EXPECT_LT(outcome.schedule_span, std::chrono::hours(1));
}

}  // namespace
}  // namespace escan::loadgen
