#include "escan/cascade.h"

#include <gtest/gtest.h>

#include <string>

namespace escan {
namespace {

TEST(ExitScore, IsParsedByItsName) {
  for (const ExitScore score : {ExitScore::kNone, ExitScore::kMaxProbability, ExitScore::kMargin,
                                ExitScore::kEntropy, ExitScore::kOutput}) {
    EXPECT_FALSE(Name(score).empty());
    EXPECT_EQ(ParseExitScore(Name(score)), score);
  }
  EXPECT_EQ(Name(ExitScore::kMaxProbability), "max_probability");
  EXPECT_EQ(ParseExitScore("Margin"), std::nullopt);
  EXPECT_EQ(ParseExitScore(""), std::nullopt);
}

TEST(CascadeSpec, FindsStagesByName) {
  CascadeSpec cascade;
  for (const std::string name : {"small", "large"}) cascade.stages.emplace_back().name = name;
  EXPECT_EQ(cascade.stage_count(), 2);
  EXPECT_EQ(cascade.FindStage("small"), 0);
  EXPECT_EQ(cascade.FindStage("large"), 1);
  EXPECT_EQ(cascade.FindStage("Large"), std::nullopt);
}

}  // namespace
}  // namespace escan
