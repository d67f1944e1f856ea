#include "engine/check_review.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace escan {
namespace {

using std::chrono::microseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

CascadeSpec TwoStages() {
  CascadeSpec cascade;
  cascade.probe = "/rows.npz";
  for (const char* name : {"small", "large"}) cascade.stages.emplace_back().name = name;
  return cascade;
}

BucketCheck Check(int stage, int rows, Duration step, float least = 0.1f, float greatest = 0.9f) {
  return {
      .stage = stage, .rows = rows, .step = step, .least_score = least, .greatest_score = greatest};
}

class CheckReviewTest : public testing::Test {
 protected:
  std::vector<std::string> Look(const std::vector<BucketCheck>& checks) {
    return review_.Look(checks, {0.5f, 1.0f});
  }

  CascadeSpec cascade_ = TwoStages();
  CheckReview review_{cascade_};
};

TEST_F(CheckReviewTest, HasNothingToSayOfACheaperFirstStage) {
  EXPECT_THAT(Look({Check(0, 1, microseconds(100)), Check(1, 1, microseconds(900))}), IsEmpty());
}

TEST_F(CheckReviewTest, NamesStagesInTheWrongOrderOnce) {
  const std::vector<BucketCheck> checks = {
      Check(0, 1, microseconds(100)), Check(0, 4, microseconds(480)),
      Check(1, 1, microseconds(300)), Check(1, 4, microseconds(200))};
  EXPECT_THAT(Look(checks), ElementsAre("stage 1 'small' takes 2.4 times as long as stage 2 "
                                        "'large': are they in the wrong order?"));
  EXPECT_THAT(Look(checks), IsEmpty());
}

TEST_F(CheckReviewTest, ComparesNoTimesThatWereNotMeasured) {
  EXPECT_THAT(Look({Check(0, 1, Duration::zero()), Check(1, 1, Duration::zero())}), IsEmpty());
  EXPECT_THAT(Look({Check(0, 8, microseconds(900)), Check(1, 1, microseconds(1))}), IsEmpty());
}

TEST_F(CheckReviewTest, SaysThatNoRowLeaves) {
  EXPECT_THAT(Look({Check(0, 1, {}, 0.1f, 0.4f)}),
              ElementsAre(HasSubstr("no row of the probe leaves at stage 1 'small' (scores 0.1 to "
                                    "0.4, threshold 0.5)")));
}

TEST_F(CheckReviewTest, SaysThatEveryRowLeaves) {
  EXPECT_THAT(Look({Check(0, 1, {}, 0.5f, 0.7f)}),
              ElementsAre(HasSubstr("every row of the probe leaves at stage 1 'small'")));
}

TEST_F(CheckReviewTest, SaysNothingOfTheExitsOfRandomRowsOrOfTheLastStage) {
  EXPECT_THAT(Look({Check(1, 1, {}, 0.1f, 0.4f)}), IsEmpty());
  cascade_.probe.clear();
  EXPECT_THAT(Look({Check(0, 1, {}, 0.1f, 0.4f)}), IsEmpty());
}

}  // namespace
}  // namespace escan
