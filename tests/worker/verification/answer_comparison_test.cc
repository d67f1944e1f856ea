#include "worker/verification/answer_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <vector>

#include "worker/loop/cascade_in_slab.h"

namespace escan {
namespace {

using testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

CascadeSpec OneStage(Precision precision, ExitScore score) {
  CascadeSpec cascade;
  cascade.name = "c";
  cascade.inputs = {{.name = "x", .datatype = Datatype::kFp32, .shape = {1}, .range = {}}};
  cascade.stages = {NullStage(
      "only", {{.name = "p", .datatype = Datatype::kFp32, .shape = {2}, .range = {}},
               {.name = "class", .datatype = Datatype::kInt32, .shape = {1}, .range = {}}})};
  cascade.stages[0].gpu.precision = precision;
  cascade.stages[0].exit.score = score;
  return cascade;
}

// Four rows whose right answer is [0.25, 0.75] of class 1, in slots 9, 8, 7 and 6.
class AnswerComparisonTest : public testing::Test {
 protected:
  explicit AnswerComparisonTest(Precision precision = Precision::kFp32,
                                ExitScore score = ExitScore::kMaxProbability)
      : bench_(OneStage(precision, score)), stage_(bench_.Stages()[0]) {
    for (const SlotId slot : slots_) {
      bench_.SetOutput<float>(slot, 0, 0, {0.25f, 0.75f});
      bench_.SetOutput<int32_t>(slot, 0, 1, {1});
    }
  }

  std::optional<std::string> Compare() {
    results_.assign(slots_.size(), {});
    const std::array outputs = {reinterpret_cast<const std::byte*>(p_.data()),
                                reinterpret_cast<const std::byte*>(class_.data())};
    return CompareAnswer(stage_, bench_.slab(), slots_, {outputs, scores_}, results_);
  }

  int Differing() const {
    int rows = 0;
    for (const RowResult& result : results_) rows += result.differs ? 1 : 0;
    return rows;
  }

  const std::vector<SlotId> slots_ = {9, 8, 7, 6};
  CascadeInSlab bench_;
  WorkerStage stage_;
  std::vector<float> p_ = {0.25f, 0.75f, 0.25f, 0.75f, 0.25f, 0.75f, 0.25f, 0.75f};
  std::vector<int32_t> class_ = {1, 1, 1, 1};
  std::vector<float> scores_ = {0.75f, 0.75f, 0.75f, 0.75f};
  std::vector<RowResult> results_;
};

TEST_F(AnswerComparisonTest, TakesEqualAnswersForRight) {
  EXPECT_EQ(Compare(), std::nullopt);
  EXPECT_EQ(Differing(), 0);
  EXPECT_EQ(results_[2].score, 0.75f);
}

TEST_F(AnswerComparisonTest, AllowsRounding) {
  p_[2] += 0.001f;
  EXPECT_EQ(Compare(), std::nullopt);
}

TEST_F(AnswerComparisonTest, NamesTheElementThatIsWrong) {
  p_[5] = 0.5f;
  EXPECT_THAT(Compare().value_or(""), HasSubstr("row 2: 'p'[1] is 0.5 where 0.75 is right"));
  EXPECT_TRUE(results_[2].differs);
  EXPECT_EQ(Differing(), 1);
}

TEST_F(AnswerComparisonTest, TakesNanForWrongWhereANumberIsRight) {
  p_[0] = kNan;
  EXPECT_THAT(Compare().value_or(""), HasSubstr("row 0: 'p'[0] is nan where 0.25 is right"));
}

TEST_F(AnswerComparisonTest, TakesNanForRightWhereItIs) {
  bench_.SetOutput<float>(9, 0, 0, {kNan, 0.75f});
  p_[0] = kNan;
  scores_[0] = kNan;
  EXPECT_EQ(Compare(), std::nullopt);
  p_[0] = 0.25f;
  EXPECT_THAT(Compare().value_or(""), HasSubstr("is 0.25 where nan is right"));
}

TEST_F(AnswerComparisonTest, TakesInfinityForWrongUnlessItIsTheSame) {
  bench_.SetOutput<float>(9, 0, 0, {std::numeric_limits<float>::infinity(), 0.75f});
  scores_[0] = kNan;
  p_[0] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Compare(), std::nullopt);
  p_[0] = -p_[0];
  EXPECT_EQ(Differing(), 0);
  EXPECT_NE(Compare(), std::nullopt);
}

TEST_F(AnswerComparisonTest, ComparesTheScoreWithThatOfTheRightOutput) {
  scores_[3] = 0.25f;
  EXPECT_THAT(Compare().value_or(""), HasSubstr("row 3: its score is 0.25 where 0.75 is right"));
  EXPECT_TRUE(results_[3].differs);
}

TEST_F(AnswerComparisonTest, AllowsAQuarterOfTheDecisionsToTipOver) {
  class_ = {0, 1, 1, 1};
  EXPECT_EQ(Compare(), std::nullopt);
  class_ = {0, 1, -2, 1};
  EXPECT_THAT(Compare().value_or(""), HasSubstr("row 0: 'class'[0] is 0 where 1 is right"));
  EXPECT_TRUE(results_[2].differs);
}

class HalfPrecisionTest : public AnswerComparisonTest {
 protected:
  HalfPrecisionTest() : AnswerComparisonTest(Precision::kFp16, ExitScore::kNone) {
    scores_.assign(4, kNan);
  }
};

TEST_F(HalfPrecisionTest, AllowsMoreInHalfPrecision) {
  p_[2] += 0.02f;
  EXPECT_EQ(Compare(), std::nullopt);
  p_[2] += 0.05f;
  EXPECT_NE(Compare(), std::nullopt);
}

}  // namespace
}  // namespace escan
