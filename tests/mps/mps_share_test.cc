#include "mps/mps_share.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace escan {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

std::string ErrorOf(int percent, int seen) {
  return std::string(MpsShare{percent, 132}.Check(seen).message());
}

TEST(MpsShare, IsWhatAnH100Shows) {
  for (const auto& [percent, seen] : {std::pair{100, 132},
                                      {75, 98},
                                      {70, 92},
                                      {50, 66},
                                      {30, 38},
                                      {25, 32},
                                      {12, 14},
                                      {10, 12}}) {
    EXPECT_EQ(ErrorOf(percent, seen), "") << percent;
  }
}

TEST(MpsShare, OfTheWholeGpuIsNotAPart) {
  EXPECT_EQ(ErrorOf(30, 132),
            "the worker sees 132 of the GPU's 132 multiprocessors, expected about 39 (30 %): it "
            "runs without MPS");
}

TEST(MpsShare, OfAnotherPercentageIsWrong) {
  EXPECT_THAT(ErrorOf(50, 38), HasSubstr("sees 38 of the GPU's 132"));
  EXPECT_THAT(ErrorOf(50, 38), HasSubstr("expected about 66 (50 %)"));
  EXPECT_THAT(ErrorOf(50, 38), Not(EndsWith("without MPS")));
  EXPECT_NE(ErrorOf(100, 66), "");
}

TEST(MpsShare, CannotBeCheckedOnAGpuOfUnknownSize) {
  EXPECT_TRUE((MpsShare{30, 0}.Check(999).ok()));
  EXPECT_FALSE((MpsShare{30, 0}.Proves(30)));
}

TEST(MpsShare, ProvesMpsOnlyWhereItIsClearlyLessThanTheWhole) {
  EXPECT_TRUE((MpsShare{50, 132}.Proves(66)));
  EXPECT_FALSE((MpsShare{50, 132}.Proves(132)));
  EXPECT_FALSE((MpsShare{100, 132}.Proves(132)));
  EXPECT_FALSE((MpsShare{99, 132}.Proves(130)));
}

}  // namespace
}  // namespace escan
