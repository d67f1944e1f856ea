#include "ctl/commands.h"

#include <gtest/gtest.h>

namespace escan::ctl {
namespace {

TEST(ParseThreshold, SplitsStageAndValue) {
  const auto threshold = ParseThreshold("small=0.25");
  ASSERT_TRUE(threshold.ok());
  EXPECT_EQ(threshold->first, "small");
  EXPECT_EQ(threshold->second, 0.25f);
}

class ThresholdMistake : public testing::TestWithParam<std::string> {};

TEST_P(ThresholdMistake, IsExplained) {
  EXPECT_EQ(std::string(ParseThreshold(GetParam()).status().message()),
            "'" + GetParam() + "' is not STAGE=VALUE with a number, as small=0.94 is");
}

INSTANTIATE_TEST_SUITE_P(All, ThresholdMistake,
                         testing::Values("small", "=0.5", "small=", "small=high", "small=nan",
                                         "small=inf", "small=1=2"));

}  // namespace
}  // namespace escan::ctl
