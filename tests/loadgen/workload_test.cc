#include "loadgen/workload.h"

#include <gtest/gtest.h>

#include "support/temporary_folder.h"

namespace escan::loadgen {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

ExitSchedule Drift(const std::string& lines) {
  const TemporaryFolder folder;
  return *ExitSchedule::FromFile(folder.Write("drift.csv", "seconds,exit_1\n" + lines));
}

constexpr RowChunks kTenRows{.total_rows = 10, .rows_per_request = 1};

TEST(Workload, GoesRoundTheSamples) {
  Workload workload({.total_rows = 7, .rows_per_request = 3}, {.requests = 4});
  for (const int64_t first : {0, 3, 0, 3}) {
    const auto ticket = workload.Take(Duration::zero());
    ASSERT_TRUE(ticket.has_value());
    EXPECT_EQ(ticket->first_row, first);
    EXPECT_EQ(ticket->rows, 3);
  }
  EXPECT_FALSE(workload.Take(Duration::zero()).has_value());
}

TEST(Workload, KeepsAShorterLastRequestWhenAskedTo) {
  const RowChunks chunks{.total_rows = 7, .rows_per_request = 3, .keep_last = true};
  ASSERT_EQ(chunks.count(), 3);
  Workload workload(chunks, {.requests = 3});
  workload.Take(Duration::zero());
  workload.Take(Duration::zero());
  const auto last = workload.Take(Duration::zero());
  EXPECT_EQ(last->first_row, 6);
  EXPECT_EQ(last->rows, 1);
}

TEST(Workload, NumbersAllRequestsWhileSamplesComeRoundAgain) {
  Workload workload({.total_rows = 2, .rows_per_request = 1},
                    {.warmup_requests = 1, .requests = 4});
  for (const int64_t number : {0, 1, 2, 3, 4}) {
    EXPECT_EQ(workload.Take(Duration::zero())->request, number);
  }
}

TEST(Workload, ExitRatiosChangeAtTheirTimesInTheMeasurement) {
  Workload workload(kTenRows, {.warmup = seconds(5), .duration = seconds(10)},
                    Drift("0,0.5\n3,0.1\n6,0.9\n"));
  EXPECT_EQ(workload.Take(seconds(4))->exit_segment, 0);  // still warming up
  EXPECT_EQ(workload.Take(milliseconds(5000))->exit_segment, 0);
  EXPECT_EQ(workload.Take(milliseconds(7999))->exit_segment, 0);
  EXPECT_EQ(workload.Take(milliseconds(8000))->exit_segment, 1);
  EXPECT_EQ(workload.Take(milliseconds(10999))->exit_segment, 1);
  EXPECT_EQ(workload.Take(milliseconds(11000))->exit_segment, 2);
  EXPECT_EQ(workload.Take(milliseconds(14999))->exit_segment, 2);
}

TEST(Workload, ExitRatiosChangeByTheTimeSinceTheLastWarmupRequest) {
  Workload workload(kTenRows, {.warmup_requests = 1, .duration = seconds(10)},
                    Drift("0,0.5\n3,0.1\n"));
  EXPECT_EQ(workload.Take(seconds(2))->exit_segment, 0);
  EXPECT_EQ(workload.Take(seconds(4))->exit_segment, 0);  // the measurement begins
  EXPECT_EQ(workload.Take(seconds(6))->exit_segment, 0);
  EXPECT_EQ(workload.Take(seconds(7))->exit_segment, 1);
}

TEST(Workload, TheMeasurementStartsAfterTheWarmupWithTheFirstSample) {
  Workload workload(kTenRows, {.warmup = seconds(2), .duration = seconds(10)});
  EXPECT_FALSE(workload.Take(milliseconds(0))->measured);
  EXPECT_FALSE(workload.Take(milliseconds(1999))->measured);
  EXPECT_FALSE(workload.measurement_start().has_value());
  const auto first = workload.Take(milliseconds(2100));
  EXPECT_TRUE(first->measured);
  EXPECT_TRUE(first->first_measured);
  EXPECT_EQ(first->first_row, 0);
  EXPECT_FALSE(workload.Take(milliseconds(2200))->first_measured);
  EXPECT_EQ(workload.measurement_start(), seconds(2));
}

TEST(Workload, EndsAfterItsDurationCountedFromTheMeasurementsStart) {
  Workload workload(kTenRows, {.warmup = seconds(2), .duration = seconds(10)});
  EXPECT_TRUE(workload.Take(milliseconds(11999)).has_value());
  EXPECT_FALSE(workload.Take(seconds(13)).has_value());
  EXPECT_EQ(workload.measured_span(), seconds(10));
  EXPECT_FALSE(workload.stopped_early());
}

TEST(Workload, CountsWarmupRequestsApart) {
  Workload workload(kTenRows, {.warmup_requests = 2, .requests = 1});
  EXPECT_FALSE(workload.Take(milliseconds(0))->measured);
  EXPECT_FALSE(workload.Take(milliseconds(1))->measured);
  EXPECT_TRUE(workload.Take(milliseconds(2))->measured);
  EXPECT_FALSE(workload.Take(milliseconds(3)).has_value());
  EXPECT_EQ(workload.measurement_start(), milliseconds(2));
  EXPECT_EQ(workload.measured_span(), milliseconds(1));
}

TEST(Workload, StopEndsItAndTheSpan) {
  Workload workload(kTenRows, {.duration = seconds(10)});
  workload.Take(seconds(1));
  workload.Take(seconds(4));  // taken ahead of its time
  workload.Stop(seconds(3));
  EXPECT_FALSE(workload.Take(seconds(4)).has_value());
  EXPECT_TRUE(workload.stopped_early());
  EXPECT_EQ(workload.measured_span(), seconds(2));
}

TEST(Workload, StopAfterTheEndChangesNothing) {
  Workload workload(kTenRows, {.requests = 1});
  workload.Take(seconds(1));
  workload.Take(seconds(2));
  workload.Stop(seconds(3));
  EXPECT_FALSE(workload.stopped_early());
  EXPECT_EQ(workload.measured_span(), seconds(1));
}

}  // namespace
}  // namespace escan::loadgen
