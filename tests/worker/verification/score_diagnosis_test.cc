#include "worker/verification/score_diagnosis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string>
#include <vector>

#include "worker/loop/cascade_in_slab.h"
#include "worker/loop/exit_scores.h"

namespace escan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Answers `probabilities` and, beside it, an `embedding`.
CascadeSpec TwoOutputs(int score_output) {
  CascadeSpec cascade;
  cascade.inputs = {{.name = "x", .datatype = Datatype::kUint8, .shape = {4}}};
  cascade.stages = {NullStage("lite0", {{.name = "probabilities", .shape = {3}},
                                        {.name = "embedding", .shape = {4}},
                                        {.name = "n", .datatype = Datatype::kInt32, .shape = {}}})};
  cascade.stages[0].exit = {.score = ExitScore::kMaxProbability, .output = score_output};
  return cascade;
}

class ScoreDiagnosisTest : public testing::Test {
 protected:
  static std::string Diagnose(const std::vector<float>& probabilities,
                              const std::vector<float>& embedding, int score_output) {
    const CascadeInSlab bench(TwoOutputs(score_output));
    const WorkerStage stage = bench.Stages()[0];
    const int32_t n = 0;
    const std::array outputs = {reinterpret_cast<const std::byte*>(probabilities.data()),
                                reinterpret_cast<const std::byte*>(embedding.data()),
                                reinterpret_cast<const std::byte*>(&n)};
    EXPECT_TRUE(std::isnan(
        ExitScoreOf(ExitScore::kMaxProbability, score_output == 0 ? probabilities : embedding)))
        << "there is nothing to diagnose";
    return DiagnoseNanScore(stage, outputs);
  }
  static std::string DiagnoseProbabilities(const std::vector<float>& probabilities) {
    return Diagnose(probabilities, {0, 0, 0, 0}, 0);
  }
};

TEST_F(ScoreDiagnosisTest, LogitsLackASoftmax) {
  EXPECT_EQ(DiagnoseProbabilities({-4, 2, -1.1f}),
            "'probabilities' sums to -3.1, not 1: no softmax?");
}

TEST_F(ScoreDiagnosisTest, LogarithmsComeFromLogSoftmax) {
  EXPECT_EQ(DiagnoseProbabilities({-0.35667494f, -1.6094379f, -2.3025851f}),
            "'probabilities' holds logarithms: log_softmax in place of softmax?");
}

TEST_F(ScoreDiagnosisTest, ANegativeValueIsNoProbability) {
  EXPECT_EQ(DiagnoseProbabilities({-0.25f, 0.75f, 0.5f}),
            "'probabilities' holds -0.25, which is no probability");
}

TEST_F(ScoreDiagnosisTest, NamesAnElementThatIsNoNumber) {
  EXPECT_EQ(DiagnoseProbabilities({0.5f, kNan, 0.5f}), "'probabilities'[1] is nan");
  EXPECT_EQ(DiagnoseProbabilities({std::numeric_limits<float>::infinity(), 0, 0}),
            "'probabilities'[0] is inf");
}

TEST_F(ScoreDiagnosisTest, NamesTheOutputThatLooksLikeProbabilities) {
  EXPECT_EQ(Diagnose({0.2f, 0.5f, 0.3f}, {-3, 4, 0.5f, 9}, 1),
            "exit.output names 'embedding'; 'probabilities' looks like probabilities");
  EXPECT_EQ(Diagnose({-0.2f, 0.9f, 0.3f}, {-3, 4, 0.5f, 9}, 1),
            "'embedding' sums to 10.5, not 1: no softmax?")
      << "neither does";
}

class ScoreWatchTest : public testing::Test {
 protected:
  ScoreWatchTest() {
    for (const SlotId slot : {1u, 2u, 3u}) bench_.SetOutput<float>(slot, 0, 0, {-4, 2, -1.1f});
  }

  CascadeInSlab bench_{TwoOutputs(0)};
  std::vector<WorkerStage> stages_ = bench_.Stages();
  std::vector<std::string> warnings_;
  ScoreWatch watch_{stages_, bench_.slab(),
                    [this](const std::string& fields) { warnings_.push_back(fields); }};
  const std::vector<SlotId> slots_ = {3, 1, 2};
};

TEST_F(ScoreWatchTest, WarnsOnceOfAStageWhoseScoreIsNan) {
  const std::vector<RowResult> results = {{.score = 0.5f}, {.score = kNan}, {.score = kNan}};
  watch_.Look(0, slots_, results);
  watch_.Look(0, slots_, results);
  EXPECT_THAT(warnings_,
              ElementsAre("event=score_nan stage=lite0 score=max_probability "
                          "reason=\"'probabilities' sums to -3.1, not 1: no softmax?\""));
}

TEST_F(ScoreWatchTest, LooksAtTheRowThatIsNan) {
  bench_.SetOutput<float>(1, 0, 0, {kNan, 0, 0});
  watch_.Look(0, slots_, std::vector<RowResult>{{.score = 0.5f}, {.score = kNan}, {}});
  ASSERT_EQ(warnings_.size(), 1u);
  EXPECT_THAT(warnings_[0], HasSubstr("'probabilities'[0] is nan"));
}

TEST_F(ScoreWatchTest, IsSilentAboutNumbersAndFailedRows) {
  watch_.Look(0, slots_,
              std::vector<RowResult>{{.score = 0.5f}, {.score = kNan, .failed = true}, {}});
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(ScoreWatchTest, IsSilentAboutStagesThatAreNotScored) {
  stages_[0].score = ExitScore::kNone;
  ScoreWatch watch(stages_, bench_.slab(),
                   [this](const std::string& fields) { warnings_.push_back(fields); });
  watch.Look(0, slots_, std::vector<RowResult>(3, {.score = kNan}));
  EXPECT_THAT(warnings_, IsEmpty());
}

}  // namespace
}  // namespace escan
