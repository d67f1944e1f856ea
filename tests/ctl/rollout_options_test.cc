#include "ctl/rollout_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace escan::ctl {
namespace {

using testing::HasSubstr;

TEST(ParsePart, TakesPercentAndFractions) {
  EXPECT_DOUBLE_EQ(ParsePart("5%").value(), 0.05);
  EXPECT_DOUBLE_EQ(ParsePart("0.25").value(), 0.25);
  for (const char* wrong : {"", "%", "5", "101%", "-1%", "nan"}) {
    EXPECT_FALSE(ParsePart(wrong).ok()) << wrong;
  }
}

TEST(ParseConditions, TakesEachOnce) {
  const auto conditions = ParseConditions("agreement<97%,p99>20ms,errors>1%");
  ASSERT_TRUE(conditions.ok()) << conditions.status();
  EXPECT_DOUBLE_EQ(conditions->agreement_below(), 0.97);
  EXPECT_EQ(conditions->p99_above().nanos(), 20'000'000);
  EXPECT_DOUBLE_EQ(conditions->errors_above(), 0.01);
  EXPECT_FALSE(ParseConditions("errors>2%").value().has_agreement_below());
}

TEST(ParseConditions, SaysWhatWasExpected) {
  for (const char* wrong :
       {"agreement>97%", "p99<20ms", "latency>1s", "p99>1s,p99>2s", "", "p99"}) {
    EXPECT_THAT(std::string(ParseConditions(wrong).status().message()),
                HasSubstr("as agreement<97%, p99>20ms or errors>1% is"))
        << wrong;
  }
  EXPECT_THAT(std::string(ParseConditions("p99>20").status().message()),
              HasSubstr("'20' is not a duration"));
}

TEST(AddStageModel, MakesThePathAbsolute) {
  v1::StartRolloutRequest request;
  EXPECT_TRUE(AddStageModel("small=models/../v2.pt", &request).ok());
  EXPECT_EQ(request.stage_models().at("small"),
            (std::filesystem::current_path() / "v2.pt").string());
  EXPECT_THAT(std::string(AddStageModel("small=v3.pt", &request).message()), HasSubstr("twice"));
  for (const char* wrong : {"small", "=v2.pt", "small="}) {
    EXPECT_FALSE(AddStageModel(wrong, &request).ok()) << wrong;
  }
}

}  // namespace
}  // namespace escan::ctl
