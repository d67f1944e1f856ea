#include "scheduling/arrival_estimator.h"

#include <gtest/gtest.h>

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{seconds(5000)};

// Requests of 4 rows, so many in each of the next seconds.
TimePoint Arrive(int seconds_long, int per_second, TimePoint now, ArrivalEstimator* arrivals,
                 bool refused = false) {
  for (int i = 0; i < seconds_long * per_second; ++i) {
    arrivals->Count(4, refused, now + i * milliseconds(1000) / per_second);
  }
  return now + seconds(seconds_long);
}

TEST(ArrivalEstimator, KnowsTheRateOfSamples) {
  ArrivalEstimator arrivals(kStart);
  const TimePoint now = Arrive(10, 100, kStart, &arrivals);
  const ArrivalEstimate estimate = arrivals.Estimate(now);
  EXPECT_NEAR(estimate.samples_per_second, 400, 1e-6) << "it counts since 10 s only";
  EXPECT_EQ(estimate.requests, 1000u);
  EXPECT_DOUBLE_EQ(estimate.rows_per_request, 4);
  EXPECT_TRUE(estimate.interval.Contains(400));
  EXPECT_LT(estimate.interval.high - estimate.interval.low, 60);
  EXPECT_EQ(estimate.offered_samples, 4000u);
}

TEST(ArrivalEstimator, SeesAChangeWithinSeconds) {
  ArrivalEstimator arrivals(kStart);
  TimePoint now = Arrive(60, 100, kStart, &arrivals);
  EXPECT_NEAR(arrivals.Estimate(now).samples_per_second, 400, 20);
  now = Arrive(5, 300, now, &arrivals);
  EXPECT_NEAR(arrivals.Estimate(now).samples_per_second, 1200, 60);
  now = Arrive(60, 300, now, &arrivals);
  const ArrivalEstimate settled = arrivals.Estimate(now);
  EXPECT_NEAR(settled.samples_per_second, 1200, 60);
  EXPECT_GT(settled.requests, 8000u) << "the long window again";
}

TEST(ArrivalEstimator, SeesThatNothingArrivesAnyMore) {
  ArrivalEstimator arrivals(kStart);
  const TimePoint now = Arrive(60, 100, kStart, &arrivals) + seconds(5);
  EXPECT_EQ(arrivals.Estimate(now).samples_per_second, 0);
  EXPECT_EQ(arrivals.Estimate(now + seconds(60)).rows_per_request, 0);
}

TEST(ArrivalEstimator, CountsWhatIsRefusedAsOffered) {
  ArrivalEstimator arrivals(kStart);
  TimePoint now = Arrive(20, 100, kStart, &arrivals);
  EXPECT_EQ(arrivals.Estimate(now).refused, 0);
  for (int second = 0; second < 5; ++second) {
    Arrive(1, 50, now, &arrivals, true);
    now = Arrive(1, 50, now + seconds(1), &arrivals);
  }
  EXPECT_NEAR(arrivals.Estimate(now).refused, 0.5, 0.2);
  EXPECT_EQ(arrivals.Estimate(now).refused_samples, 5 * 50 * 4u);
  EXPECT_EQ(arrivals.Estimate(now).offered_samples, 20 * 400 + 10 * 200u);
}

}  // namespace
}  // namespace escan
