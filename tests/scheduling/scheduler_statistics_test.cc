// What the scheduler tells of its stages.
#include <gtest/gtest.h>

#include <numeric>

#include "scheduling/scheduler_harness.h"

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SchedulerStatistics : public SchedulerTest {
 protected:
  void SetUp() override {
    Stages(2);
    Start();
    Ready(0, {0, 1});
  }

  template <typename HistogramType>
  static uint64_t Count(const HistogramType& histogram) {
    return std::accumulate(histogram.counts.begin(), histogram.counts.end(), uint64_t{0});
  }
};

TEST_F(SchedulerStatistics, TellOfBatchesAndSamples) {
  Admit({0, 1, 2});
  Advance(milliseconds(3));
  const Sent sent = Take();
  now_ += milliseconds(7);
  Done(sent, {0.9f, 0.9f, 0.1f});
  const StageStatistics& first = scheduler_->statistics(0);
  EXPECT_EQ(first.samples_executed, 3u);
  EXPECT_EQ(first.samples_exited, 2u);
  EXPECT_EQ(first.batches, 1u);
  EXPECT_EQ(first.batches_of_rows[3], 1u);
  EXPECT_EQ(first.execute_ns_of_rows[3], 100'000u);
  EXPECT_EQ(first.execute_ns, 100'000u);
  EXPECT_EQ(Count(first.batch_rows), 1u);
  EXPECT_DOUBLE_EQ(first.batch_rows.sum, 3);
  EXPECT_EQ(Count(first.step_time), 1u);
  EXPECT_DOUBLE_EQ(first.step_time.sum, 7e-3);
  EXPECT_EQ(Count(first.queue_time), 3u);
  EXPECT_NEAR(first.queue_time.sum, 9e-3, 1e-12);
  EXPECT_EQ(first.queue_ns, 9'000'000u);
  EXPECT_EQ(first.last_finished_ns, static_cast<uint64_t>(now_.time_since_epoch().count()));
  EXPECT_EQ(first.exits.window.reached, 3u);
  EXPECT_EQ(first.exits.window.exited, 2u);
  EXPECT_EQ(scheduler_->statistics(1).samples_executed, 0u);
  Done(Take(), {0.0f});
  EXPECT_EQ(scheduler_->statistics(1).samples_exited, 1u);
  EXPECT_EQ(scheduler_->statistics(1).exits.window.reached, 1u);
}

TEST_F(SchedulerStatistics, NanIsCountedWhereTheStageIsScored) {
  cascade_.stages[0].exit.score = ExitScore::kMaxProbability;
  Start();
  Ready(0, {0, 1});
  Admit({0, 1});
  Admit({2});
  Advance();
  Result(Take(), {kNan, 0.1f, kNan}, {0, 0, 1}, "threw");
  Advance();
  EXPECT_EQ(scheduler_->statistics(0).score_nan, 1u) << "a row that failed has no score";
  Done(Take(), {kNan, kNan});
  EXPECT_EQ(scheduler_->statistics(1).score_nan, 0u);
}

TEST_F(SchedulerStatistics, ANewThresholdForgetsTheExitEstimate) {
  Admit({0, 1});
  Advance();
  Done(Take(), {0.9f, 0.9f});
  EXPECT_EQ(scheduler_->statistics(0).exits.window.reached, 2u);
  Admit({2});
  Advance();
  const Sent sent = Take();
  scheduler_->SetThreshold(0, 0.8f, now_);
  EXPECT_EQ(scheduler_->statistics(0).exits.window.reached, 0u);
  Done(sent, {0.9f});
  EXPECT_EQ(scheduler_->statistics(0).exits.window.reached, 0u)
      << "the batch was judged by the old threshold";
  EXPECT_EQ(scheduler_->statistics(0).samples_exited, 3u);
  Admit({3});
  Advance();
  Done(Take(), {0.9f});
  EXPECT_EQ(scheduler_->statistics(0).exits.window.reached, 1u);
}

TEST_F(SchedulerStatistics, WordsBeforeANewThresholdDoNotCountLater) {
  policy(1).speculate = true;
  Policies();
  Ready(0, {0});
  Ready(1, {1});
  Admit({0});
  Advance();
  const Sent first = Take();
  const Sent second = Take();
  ASSERT_EQ(second.stage, 1);
  Done(second, {0.9f});
  scheduler_->SetThreshold(1, 0.8f, now_);
  Done(first, {0.1f});
  EXPECT_EQ(scheduler_->statistics(0).exits.window.reached, 1u);
  EXPECT_EQ(scheduler_->statistics(1).exits.window.reached, 0u);
}

TEST_F(SchedulerStatistics, TheExitEstimateIsOfTheLastWindow) {
  Admit({0});
  Advance();
  Done(Take(), {0.9f});
  EXPECT_EQ(scheduler_->statistics(0).exits.window.reached, 1u);
  Advance(seconds(60));
  EXPECT_EQ(scheduler_->statistics(0).exits.window.reached, 0u);
  EXPECT_EQ(scheduler_->statistics(0).samples_exited, 1u);
}

TEST_F(SchedulerStatistics, SamplesAreCountedWhereTheyAre) {
  Admit({0, 1, 2, 3, 4});
  EXPECT_EQ(scheduler_->queued(0), 5);
  Advance();
  EXPECT_EQ(scheduler_->queued(0), 1);
  EXPECT_EQ(scheduler_->in_flight(0), 4);
  Result(Take(), {0.1f, 0.9f, 0.9f, 0.9f}, {0, 0, 0, 0});
  EXPECT_EQ(scheduler_->in_flight(0), 0);
  EXPECT_EQ(scheduler_->queued(1), 1);
  EXPECT_EQ(scheduler_->requests(), 1);
}

}  // namespace
}  // namespace escan
