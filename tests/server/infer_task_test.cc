#include "server/infer_task.h"

#include <grpc/support/time.h>

#include "gtest/gtest.h"

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

}  // namespace
}  // namespace escan
