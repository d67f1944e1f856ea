#include "server/inference/infer_task.h"

#include <grpc/support/time.h>

#include "gtest/gtest.h"
#include "server/inference/grpc_message.h"

namespace escan {
namespace {

using std::chrono::hours;

gpr_timespec In(std::chrono::seconds time) {
  return gpr_time_add(gpr_now(GPR_CLOCK_REALTIME),
                      gpr_time_from_seconds(time.count(), GPR_TIMESPAN));
}

TEST(CallDeadline, IsAsFarAheadOnTheMonotonicClock) {
  const TimePoint before = Clock::now();
  const TimePoint deadline = ToMonotonic(In(hours(1)));
  EXPECT_GT(deadline, before + hours(1) - std::chrono::seconds(1));
  EXPECT_LE(deadline, Clock::now() + hours(1));
}

TEST(CallDeadline, OneBeyondTheClocksRangeIsNone) {
  EXPECT_EQ(ToMonotonic(In(hours(2'562'047))), TimePoint::max());
  EXPECT_EQ(ToMonotonic(In(hours(99'999'999))), TimePoint::max());
  EXPECT_EQ(ToMonotonic(gpr_inf_future(GPR_CLOCK_REALTIME)), TimePoint::max());
}

TEST(CallDeadline, OneInThePastIsNow) {
  const TimePoint expired = ToMonotonic(In(-hours(1)));
  EXPECT_LE(expired, Clock::now());
  const TimePoint long_expired = ToMonotonic(gpr_inf_past(GPR_CLOCK_REALTIME));
  EXPECT_LE(long_expired, Clock::now());
}

class Task final : public InferTask {
 public:
  using InferTask::InferTask;
  ~Task() override = default;

  absl::Status PrepareMessage(const grpc::ByteBuffer& message) {
    return Prepare([&](WireRequest* wire) { return ReadMessage(message, wire); }, TimePoint::max());
  }

 private:
  void Form(const ServedModel&, Answer) override {}
  void Answered(absl::Status) override {}
};

TEST(InferTask, ACallThatWasCancelledBeforeItsMessageCameIsCountedAsThat) {
  ServerState state({});
  EXPECT_EQ(Task(&state).PrepareMessage(grpc::ByteBuffer()).code(), absl::StatusCode::kCancelled);
  const RequestCounters::Snapshot counted = state.unrouted().Read();
  EXPECT_EQ(counted.requests[static_cast<size_t>(absl::StatusCode::kCancelled)], 1u);
  EXPECT_EQ(counted.requests[static_cast<size_t>(absl::StatusCode::kNotFound)], 0u);
}

TEST(InferTask, AnEmptyMessageAsksForNoModel) {
  ServerState state({});
  const grpc::Slice empty;
  EXPECT_EQ(Task(&state).PrepareMessage(grpc::ByteBuffer(&empty, 1)).code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace escan
