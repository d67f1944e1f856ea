// Scores that are compared with those of a calibration.
#include <gtest/gtest.h>

#include <utility>

#include "scheduling/scheduler_harness.h"

namespace escan {
namespace {

using std::chrono::milliseconds;
using State = DriftStatus::State;

// Two stages whose calibration saw half of the scores below 0.5; windows of 100 samples.
class SchedulerDrift : public SchedulerTest {
 protected:
  void SetUp() override {
    Stages(2);
    for (StageSpec& stage : cascade_.stages) stage.exit.score = ExitScore::kMaxProbability;
    cascade_.calibration.stages = {
        {.threshold = 0.5f, .lowest_threshold = std::nullopt, .scores = {{0.5f}, {5000, 5000}}},
        {.threshold = std::nullopt,
         .lowest_threshold = std::nullopt,
         .scores = {{0.5f}, {5000, 5000}}}};
  }

  void Serve() {
    Start({.drift = {.window = milliseconds(1), .samples = 100}});
    Ready(0, {0, 1});
  }

  // So many samples, one after the other, every stage scoring them alike.
  void Scores(int count, float odd, float even) {
    for (int i = 0; i < count; ++i) {
      Admit({7});
      Advance(milliseconds(1));
      while (!NothingSent()) Done(Take(), {i % 2 == 0 ? even : odd});
    }
  }

  const DriftStatus& drift(int stage) { return scheduler_->statistics(stage).drift; }
};

TEST_F(SchedulerDrift, TellsWhenTheStateChangesAndOnlyThen) {
  Serve();
  EXPECT_EQ(drift(0).state, State::kWaiting);
  Scores(300, 0.6f, 0.4f);
  EXPECT_EQ(drift(0).state, State::kAsCalibrated);
  EXPECT_EQ(drift(0).windows, 3u);
  Scores(300, 0.6f, 0.7f);
  EXPECT_EQ(drift(0).state, State::kDrifted);
  EXPECT_EQ(drift(0).windows_drifted, 3u);
  ASSERT_EQ(actions_.drifted.size(), 3u) << "the second stage's window is full, too";
  EXPECT_EQ(actions_.drifted[0].first, 0);
  EXPECT_EQ(actions_.drifted[0].second.state, State::kAsCalibrated);
  EXPECT_EQ(actions_.drifted.back().second.state, State::kDrifted);
}

// Only the samples below 0.5 get to the second stage, which scores them alike.
TEST_F(SchedulerDrift, LooksAtTheSamplesThatReachTheStage) {
  Serve();
  Scores(200, 0.6f, 0.4f);
  EXPECT_EQ(drift(1).windows, 1u);
  EXPECT_EQ(drift(1).samples, 100u);
  EXPECT_EQ(drift(1).state, State::kDrifted) << "all of them below 0.5";
}

TEST_F(SchedulerDrift, ComparesNothingAfterAStageWithAnotherThreshold) {
  Serve();
  scheduler_->SetThreshold(0, 0.45f, now_);
  EXPECT_EQ(drift(0).state, State::kWaiting) << "what gets to the first stage is the same";
  EXPECT_EQ(drift(1).state, State::kOtherThresholds);
  Scores(300, 0.6f, 0.4f);
  EXPECT_EQ(drift(0).windows, 3u);
  EXPECT_EQ(drift(1).windows, 0u);
  scheduler_->SetThreshold(0, 0.5f, now_);
  EXPECT_EQ(drift(1).state, State::kWaiting);
}

TEST_F(SchedulerDrift, LeavesOutCopiesThatMayNotHaveHadToCome) {
  policy(1).speculate = true;
  Serve();
  Ready(1, {1});
  for (int i = 0; i < 200; ++i) {
    Admit({7});
    Advance(milliseconds(1));
    Sent first = Take();
    Sent second = Take();
    if (first.stage == 1) std::swap(first, second);
    ASSERT_EQ(second.stage, 1);
    Done(second, {0.9f});  // before the first stage has answered
    Done(first, {0.9f});
  }
  EXPECT_EQ(drift(0).windows, 2u);
  EXPECT_EQ(drift(1).windows, 0u);
}

TEST_F(SchedulerDrift, IsOffWithoutACalibration) {
  cascade_.calibration.stages.clear();
  Serve();
  Scores(300, 0.6f, 0.4f);
  EXPECT_EQ(drift(0), DriftStatus{});
  EXPECT_TRUE(actions_.drifted.empty());
}

}  // namespace
}  // namespace escan
