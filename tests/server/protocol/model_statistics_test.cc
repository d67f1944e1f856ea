#include "server/protocol/model_statistics.h"

#include "gtest/gtest.h"
#include "server/protocol/protocol_cascade.h"

namespace escan {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

const Moment kNow = {TimePoint(seconds(100)), std::chrono::system_clock::time_point(seconds(5000))};

StageStatistics TwoBatches() {
  StageStatistics statistics;
  statistics.samples_executed = 5;
  statistics.samples_failed = 1;
  statistics.batches = 2;
  statistics.batches_of_rows[1] = 1;
  statistics.batches_of_rows[4] = 1;
  statistics.execute_ns_of_rows[1] = 100;
  statistics.execute_ns_of_rows[4] = 300;
  statistics.queue_ns = 700;
  statistics.execute_ns = 400;
  statistics.last_finished_ns = 90'000'000'000;
  return statistics;
}

RequestCounters::Snapshot ThreeRequests() {
  RequestCounters counters;
  counters.CountAnswered({.total = microseconds(50),
                          .input = microseconds(5),
                          .engine = microseconds(40),
                          .output = microseconds(3)},
                         4, TimePoint(seconds(98)));
  counters.CountAnswered({.total = microseconds(30),
                          .input = microseconds(6),
                          .engine = microseconds(20),
                          .output = microseconds(2)},
                         1, TimePoint(seconds(99)));
  counters.CountFailed(absl::StatusCode::kDeadlineExceeded, microseconds(7));
  return counters.Read();
}

TEST(ModelStatistics, ACascadeCountsRequestsAndRows) {
  EngineStatus status;
  status.stages.resize(2);
  status.stages[0].statistics = TwoBatches();
  const inference::ModelStatistics statistics =
      CascadeStatistics(ProtocolCascade(), ThreeRequests(), status,
                        {.queue = microseconds(45), .compute = microseconds(15)}, kNow);
  EXPECT_EQ(statistics.name(), "pictures");
  EXPECT_EQ(statistics.version(), "1");
  EXPECT_EQ(statistics.last_inference(), 4'999'000u);
  EXPECT_EQ(statistics.inference_count(), 5u);
  EXPECT_EQ(statistics.execution_count(), 2u);
  const inference::InferStatistics& stats = statistics.inference_stats();
  EXPECT_EQ(stats.success().count(), 2u);
  EXPECT_EQ(stats.success().ns(), 80'000u);
  EXPECT_EQ(stats.fail().count(), 1u);
  EXPECT_EQ(stats.fail().ns(), 7'000u);
  EXPECT_EQ(stats.queue().ns(), 45'000u);
  EXPECT_EQ(stats.compute_input().ns(), 11'000u);
  EXPECT_EQ(stats.compute_infer().ns(), 15'000u);
  EXPECT_EQ(stats.compute_output().ns(), 5'000u);
}

TEST(ModelStatistics, ClientsFindEqualComputeCountsAndAQueueCount) {
  const inference::ModelStatistics cascade =
      CascadeStatistics(ProtocolCascade(), ThreeRequests(), EngineStatus{}, {}, kNow);
  const inference::ModelStatistics stage = StageEntry(ProtocolCascade(), 1, TwoBatches(), kNow);
  for (const inference::ModelStatistics* statistics : {&cascade, &stage}) {
    const inference::InferStatistics& stats = statistics->inference_stats();
    EXPECT_EQ(stats.compute_input().count(), stats.compute_infer().count());
    EXPECT_EQ(stats.compute_output().count(), stats.compute_infer().count());
    EXPECT_EQ(stats.queue().count(), stats.success().count());
    EXPECT_GT(stats.queue().count(), 0u);
  }
}

TEST(ModelStatistics, AStageCountsSamplesAndItsBatchesBySize) {
  const inference::ModelStatistics entry = StageEntry(ProtocolCascade(), 1, TwoBatches(), kNow);
  EXPECT_EQ(entry.name(), "pictures/large");
  EXPECT_EQ(entry.inference_count(), 5u);
  EXPECT_EQ(entry.execution_count(), 2u);
  EXPECT_EQ(entry.last_inference(), 4'990'000u);
  EXPECT_EQ(entry.inference_stats().queue().ns(), 700u);
  // One row waits for its batch of one, four for theirs.
  EXPECT_EQ(entry.inference_stats().compute_infer().ns(), 1u * 100 + 4u * 300);
  ASSERT_EQ(entry.batch_stats_size(), 2);
  EXPECT_EQ(entry.batch_stats(0).batch_size(), 1u);
  EXPECT_EQ(entry.batch_stats(1).batch_size(), 4u);
  EXPECT_EQ(entry.batch_stats(1).compute_infer().count(), 1u);
  EXPECT_EQ(entry.batch_stats(1).compute_infer().ns(), 300u);
}

TEST(ModelStatistics, AStageThatDidNothingHasNoDate) {
  const inference::ModelStatistics entry =
      StageEntry(ProtocolCascade(), 0, StageStatistics{}, kNow);
  EXPECT_EQ(entry.last_inference(), 0u);
  EXPECT_EQ(entry.batch_stats_size(), 0);
}

TEST(ModelStatistics, SampleTimesAreSummedOverTheStages) {
  EngineStatus status;
  status.stages.resize(2);
  status.stages[0].statistics = TwoBatches();
  status.stages[1].statistics = TwoBatches();
  const TimeSplit::Sums sums = SampleTimes(status);
  EXPECT_EQ(sums.queue.count(), 1400);
  EXPECT_EQ(sums.compute.count(), 2600);
}

TEST(TimeSplit, EngineTimeIsDividedAsTheSamplesTimesAre) {
  TimeSplit split;
  const TimeSplit::Sums sums = split.Update(Duration(1000), Duration(30), Duration(10));
  EXPECT_EQ(sums.queue.count(), 750);
  EXPECT_EQ(sums.compute.count(), 250);
}

TEST(TimeSplit, SumsNeverGoBackWhenTheRatioChanges) {
  TimeSplit split;
  const TimeSplit::Sums first = split.Update(Duration(1000), Duration(900), Duration(100));
  const TimeSplit::Sums second = split.Update(Duration(2000), Duration(900), Duration(1100));
  EXPECT_EQ(second.queue, first.queue);
  EXPECT_EQ(second.compute, first.compute + Duration(1000));
}

TEST(TimeSplit, AnOlderReadingChangesNothing) {
  TimeSplit split;
  const TimeSplit::Sums first = split.Update(Duration(1000), Duration(50), Duration(50));
  const TimeSplit::Sums second = split.Update(Duration(900), Duration(40), Duration(45));
  EXPECT_EQ(second.queue, first.queue);
  EXPECT_EQ(second.compute, first.compute);
}

TEST(RequestCounters, RequestsAreCountedByCodeAndLatency) {
  const RequestCounters::Snapshot snapshot = ThreeRequests();
  EXPECT_EQ(snapshot.requests[0], 2u);
  EXPECT_EQ(snapshot.requests[static_cast<size_t>(absl::StatusCode::kDeadlineExceeded)], 1u);
  EXPECT_EQ(snapshot.rows, 5u);
  EXPECT_EQ(snapshot.last, TimePoint(seconds(99)));
  // 30 us and 50 us: both within the first bound, which is closed.
  EXPECT_EQ(snapshot.latency.counts[0], 2u);
  EXPECT_DOUBLE_EQ(snapshot.latency.sum, 80e-6);
}

}  // namespace
}  // namespace escan
