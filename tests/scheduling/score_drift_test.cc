#include "scheduling/score_drift.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "contracts/uniform.h"

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = DriftStatus::State;

constexpr int kBins = 10;

// What `escan-cascade calibrate` keeps of scores: bins that hold equally many of them.
ScoreHistogram HistogramOf(std::vector<float> scores) {
  std::ranges::sort(scores);
  ScoreHistogram histogram;
  for (size_t i = 1; i < kBins; ++i) {
    histogram.edges.push_back(scores[i * scores.size() / kBins]);
  }
  histogram.counts.assign(kBins, 0);
  for (const float score : scores) {
    const auto bin = std::ranges::upper_bound(histogram.edges, score) - histogram.edges.begin();
    ++histogram.counts[static_cast<size_t>(bin)];
  }
  return histogram;
}

class ScoreDriftTest : public ::testing::Test {
 protected:
  // Scores as those of a classifier: most of them near 1.
  float Score(double power = 0.25) { return static_cast<float>(std::pow(Uniform(random_), power)); }

  std::vector<float> Scores(int count) {
    std::vector<float> scores;
    for (int i = 0; i < count; ++i) scores.push_back(Score());
    return scores;
  }

  // A window of `samples` scores that takes a minute.
  void Window(ScoreDrift& drift, int samples, double power = 0.25) {
    const TimePoint end = now_ + seconds(60);
    for (int i = 0; i + 1 < samples; ++i) drift.Add(Score(power), now_);
    now_ = end;
    drift.Add(Score(power), now_);
  }

  std::mt19937_64 random_{7};
  TimePoint now_{seconds(1000)};
};

// The upper tail of chi-square, from tables.
TEST(ChiSquareLimit, IsNearTheTables) {
  EXPECT_NEAR(ChiSquareLimit(9, 2.3263), 21.666, 0.05);   // 1 %
  EXPECT_NEAR(ChiSquareLimit(19, 2.3263), 36.191, 0.05);  // 1 %
  EXPECT_NEAR(ChiSquareLimit(9, 3.7190), 33.720, 0.7);    // 0.01 %
  EXPECT_GE(ChiSquareLimit(9, 3.7190), 33.720);
}

// Every window against a calibration of its own, as edges and counts are drawn, too.
TEST_F(ScoreDriftTest, RaisesFalseAlarmsAsRarelyAsItSays) {
  constexpr int kWindows = 4000;
  const double one_percent = ChiSquareLimit(kBins - 1, 2.3263);
  int false_alarms = 0;
  int beyond_one_percent = 0;
  double sum = 0;
  for (int i = 0; i < kWindows; ++i) {
    ScoreDrift drift(HistogramOf(Scores(1500)), DriftOptions{});
    Window(drift, 1000);
    ASSERT_EQ(drift.status().windows, 1u);
    false_alarms += drift.status().state == State::kDrifted ? 1 : 0;
    beyond_one_percent += drift.status().statistic > one_percent ? 1 : 0;
    sum += drift.status().statistic;
  }
  // 0.04 are to be expected; 3 come by chance once in 100,000 times.
  EXPECT_LT(false_alarms, 3) << "of " << kWindows << " windows without a drift";
  // The distribution is what the limit takes it for: 40 +- 6.3, and a mean of the degrees of
  // freedom, 9 +- 0.07.
  EXPECT_NEAR(beyond_one_percent, 40, 4 * 6.3);
  EXPECT_NEAR(sum / kWindows, kBins - 1, 4 * 0.07);
}

TEST_F(ScoreDriftTest, ManyWindowsAgainstOneCalibrationRaiseNoAlarm) {
  ScoreDrift drift(HistogramOf(Scores(5000)), DriftOptions{});
  for (int i = 0; i < 2000; ++i) Window(drift, 1000);
  EXPECT_EQ(drift.status().windows, 2000u);
  EXPECT_EQ(drift.status().windows_drifted, 0u);
  EXPECT_EQ(drift.status().state, State::kAsCalibrated);
}

TEST_F(ScoreDriftTest, SeesScoresThatBecameLowerAndThatTheyAreBack) {
  ScoreDrift drift(HistogramOf(Scores(5000)), DriftOptions{});
  EXPECT_EQ(drift.status().state, State::kWaiting);
  Window(drift, 1000);
  EXPECT_EQ(drift.status().state, State::kAsCalibrated);
  EXPECT_LT(drift.status().moved, 0.1);
  Window(drift, 1000, 0.5);
  EXPECT_EQ(drift.status().state, State::kDrifted);
  EXPECT_GT(drift.status().statistic, drift.status().limit);
  EXPECT_GT(drift.status().moved, 0.15);
  Window(drift, 1000);
  EXPECT_EQ(drift.status().state, State::kAsCalibrated);
  EXPECT_EQ(drift.status().windows_drifted, 1u);
}

TEST_F(ScoreDriftTest, AddSaysWhenTheStateChanges) {
  ScoreDrift drift(HistogramOf(Scores(5000)), {.window = milliseconds(1), .samples = 1});
  now_ += seconds(1);
  EXPECT_FALSE(drift.Add(0.9f, now_)) << "the window has just begun";
  now_ += milliseconds(1);
  EXPECT_TRUE(drift.Add(0.9f, now_)) << "the first full window";
  EXPECT_FALSE(drift.Add(0.9f, now_));
  now_ += milliseconds(1);
  EXPECT_FALSE(drift.Add(0.9f, now_)) << "as before";
}

TEST_F(ScoreDriftTest, AWindowIsLongEnoughInTimeAndInSamples) {
  ScoreDrift drift(HistogramOf(Scores(5000)), DriftOptions{});
  for (int i = 0; i < 5000; ++i) drift.Add(Score(), now_);
  EXPECT_EQ(drift.status().windows, 0u) << "no minute has passed";
  now_ += seconds(60);
  drift.Add(Score(), now_);
  EXPECT_EQ(drift.status().windows, 1u);
  EXPECT_EQ(drift.status().samples, 5001u);
  for (int i = 0; i < 999; ++i) drift.Add(Score(), now_ += seconds(1));
  EXPECT_EQ(drift.status().windows, 1u) << "too few samples";
  drift.Add(Score(), now_);
  EXPECT_EQ(drift.status().windows, 2u);
}

TEST_F(ScoreDriftTest, LeavesNanOut) {
  ScoreDrift drift(HistogramOf(Scores(5000)), DriftOptions{});
  Window(drift, 1000);
  for (int i = 0; i < 10'000; ++i) {
    drift.Add(std::numeric_limits<float>::quiet_NaN(), now_ += seconds(1));
  }
  EXPECT_EQ(drift.status().windows, 1u);
}

TEST_F(ScoreDriftTest, ComparesNothingWhileOtherSamplesGetToTheStage) {
  ScoreDrift drift(HistogramOf(Scores(5000)), DriftOptions{});
  Window(drift, 1000);
  drift.Compare(false);
  EXPECT_EQ(drift.status().state, State::kOtherThresholds);
  Window(drift, 1000, 0.5);
  EXPECT_EQ(drift.status().windows, 1u);
  drift.Compare(true);
  EXPECT_EQ(drift.status().state, State::kWaiting);
  Window(drift, 1000, 0.5);
  EXPECT_EQ(drift.status().state, State::kDrifted);
}

TEST_F(ScoreDriftTest, IsOffWithoutScoresOfTheCalibration) {
  ScoreDrift drift({}, DriftOptions{});
  EXPECT_FALSE(drift.on());
  drift.Compare(true);
  EXPECT_FALSE(drift.Add(0.5f, now_));
  EXPECT_FALSE(drift.on());
}

}  // namespace
}  // namespace escan
