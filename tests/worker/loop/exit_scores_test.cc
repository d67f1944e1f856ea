#include "worker/loop/exit_scores.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace escan {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

float Score(ExitScore score, const std::vector<float>& values) {
  return ExitScoreOf(score, values);
}

TEST(ExitScores, MaxProbabilityIsTheLargest) {
  EXPECT_FLOAT_EQ(Score(ExitScore::kMaxProbability, {0.1f, 0.7f, 0.2f}), 0.7f);
}

TEST(ExitScores, MarginIsBetweenTheTwoLargestInAnyOrder) {
  EXPECT_FLOAT_EQ(Score(ExitScore::kMargin, {0.1f, 0.7f, 0.2f}), 0.5f);
  EXPECT_FLOAT_EQ(Score(ExitScore::kMargin, {0.7f, 0.2f, 0.1f}), 0.5f);
  EXPECT_FLOAT_EQ(Score(ExitScore::kMargin, {0.1f, 0.2f, 0.7f}), 0.5f);
  EXPECT_FLOAT_EQ(Score(ExitScore::kMargin, {0.4f, 0.4f, 0.2f}), 0.0f);
}

TEST(ExitScores, EntropyIsZeroForUniformAndOneForCertain) {
  EXPECT_NEAR(Score(ExitScore::kEntropy, {0.25f, 0.25f, 0.25f, 0.25f}), 0.0f, 1e-6f);
  EXPECT_FLOAT_EQ(Score(ExitScore::kEntropy, {0, 1, 0, 0}), 1.0f);
}

TEST(ExitScores, EntropyOfAnUnevenVector) {
  const double entropy = -(0.5 * std::log(0.5) + 2 * 0.25 * std::log(0.25));
  EXPECT_NEAR(Score(ExitScore::kEntropy, {0.5f, 0.25f, 0.25f}), 1 - entropy / std::log(3), 1e-6);
}

TEST(ExitScores, OneClassIsCertain) {
  EXPECT_FLOAT_EQ(Score(ExitScore::kEntropy, {1}), 1.0f);
  EXPECT_FLOAT_EQ(Score(ExitScore::kMargin, {1}), 1.0f);
}

TEST(ExitScores, OutputIsTakenAsItIs) {
  EXPECT_FLOAT_EQ(Score(ExitScore::kOutput, {-3.5f}), -3.5f);
  EXPECT_TRUE(std::isnan(Score(ExitScore::kOutput, {kNan})));
}

TEST(ExitScores, NoneIsNan) { EXPECT_TRUE(std::isnan(Score(ExitScore::kNone, {1}))); }

TEST(ExitScores, NoValuesAreNan) { EXPECT_TRUE(std::isnan(Score(ExitScore::kOutput, {}))); }

TEST(ExitScores, WhatIsNoProbabilityVectorIsNanWhereverItLies) {
  for (const ExitScore score :
       {ExitScore::kMaxProbability, ExitScore::kMargin, ExitScore::kEntropy}) {
    for (const float garbage : {kNan, kInfinity, -kInfinity, -0.5f}) {
      EXPECT_TRUE(std::isnan(Score(score, {garbage, 1, 0}))) << Name(score) << garbage;
      EXPECT_TRUE(std::isnan(Score(score, {1, garbage, 0}))) << Name(score) << garbage;
      EXPECT_TRUE(std::isnan(Score(score, {1, 0, garbage}))) << Name(score) << garbage;
    }
  }
}

}  // namespace
}  // namespace escan
