#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/config.h"
#include "config/config_folder.h"

namespace escan {
namespace {

using testing::ElementsAre;

TEST(LoadStages, AStageMayReadOutputsOfEarlierStages) {
  const ConfigFolder folder;
  const CascadeSpec spec = MustLoadCascade(folder, R"(
cascades:
  - name: backbone
    inputs:
      - {name: image, datatype: UINT8, shape: [28, 28]}
      - {name: mask, datatype: BOOL, shape: [28, 28]}
    outputs: [{name: probabilities, datatype: FP32, shape: [10]}]
    stages:
      - name: head
        executor: null
        inputs: [mask, image]
        outputs:
          - {name: features, datatype: FP16, shape: [64]}
          - {name: probabilities, datatype: FP32, shape: [10]}
        exit: {score: margin, threshold: 0.5}
      - {name: tail, executor: null, inputs: [head.features, image]}
)")
                               .spec;
  ASSERT_EQ(spec.stage_count(), 2);
  EXPECT_THAT(spec.stages[0].inputs,
              ElementsAre(TensorRef{TensorRef::kRequest, 1}, TensorRef{TensorRef::kRequest, 0}));
  EXPECT_THAT(spec.stages[0].answer, ElementsAre(1));
  EXPECT_EQ(spec.stages[0].exit.output, 1);
  EXPECT_THAT(spec.stages[1].inputs,
              ElementsAre(TensorRef{0, 0}, TensorRef{TensorRef::kRequest, 0}));
  EXPECT_THAT(spec.stages[1].answer, ElementsAre(0));
}

TEST(LoadStages, AScoreMayBeAnOutputOfTheModel) {
  const ConfigFolder folder;
  const std::string yaml = TwoStagesWith("exit: {score: max_probability, threshold: 0.9}", R"(
         outputs: [{name: probabilities, datatype: FP32, shape: [10]},
                   {name: sureness, datatype: FP32, shape: [1]}],
         exit: {score: output, output: sureness, threshold: -3.5})");
  const CascadeSpec spec = MustLoadCascade(folder, yaml).spec;
  EXPECT_EQ(spec.stages[0].exit.score, ExitScore::kOutput);
  EXPECT_EQ(spec.stages[0].exit.output, 1);
  EXPECT_EQ(spec.stages[0].exit.threshold, -3.5f);
  EXPECT_EQ(spec.stages[1].exit.score, ExitScore::kNone) << "it has no output named sureness";
}

TEST(LoadStages, TheLastStageIsScoredAsTheOneBefore) {
  const ConfigFolder folder;
  const std::string yaml = TwoStagesWith("max_probability", "entropy");
  const CascadeSpec spec = MustLoadCascade(folder, yaml).spec;
  EXPECT_EQ(spec.stages[1].exit.score, ExitScore::kEntropy);
  EXPECT_EQ(spec.stages[1].exit.output, 0);
}

TEST(LoadStages, TheLastStageMayHaveAScoreOfItsOwn) {
  const ConfigFolder folder;
  const std::string yaml =
      TwoStagesWith("executor: null, buckets", "executor: null, exit: {score: margin}, buckets");
  EXPECT_EQ(MustLoadCascade(folder, yaml).spec.stages[1].exit.score, ExitScore::kMargin);
}

TEST(LoadStages, AStageWithoutAScoreNeedsNoThreshold) {
  const ConfigFolder folder;
  const std::string yaml =
      TwoStagesWith("{score: max_probability, threshold: 0.9}", "{score: none}");
  const CascadeSpec spec = MustLoadCascade(folder, yaml).spec;
  EXPECT_EQ(spec.stages[0].exit.score, ExitScore::kNone);
  EXPECT_EQ(spec.stages[1].exit.score, ExitScore::kNone);
}

// The score of a one-stage cascade with this output.
ExitScore ScoreOfOneStage(const std::string& executor, const std::string& datatype,
                          const std::string& shape) {
  const ConfigFolder folder;
  folder.Write("model.pt", "weights");
  return MustLoadCascade(folder,
                         "cascades:\n  - name: one\n"
                         "    inputs: [{name: x, datatype: FP32, shape: [4]}]\n"
                         "    outputs: [{name: y, datatype: " +
                             datatype + ", shape: " + shape + "}]\n    stages: [{name: only, " +
                             executor + "}]\n")
      .spec.stages.at(0)
      .exit.score;
}

TEST(LoadStages, AnOnlyStageIsScoredWhereItsOutputSuits) {
  EXPECT_EQ(ScoreOfOneStage("model: model.pt", "FP32", "[10]"), ExitScore::kMaxProbability);
  EXPECT_EQ(ScoreOfOneStage("model: model.pt", "FP32", "[1]"), ExitScore::kNone);
  EXPECT_EQ(ScoreOfOneStage("model: model.pt", "INT64", "[10]"), ExitScore::kNone);
  EXPECT_EQ(ScoreOfOneStage("executor: null", "FP32", "[10]"), ExitScore::kNone);
}

}  // namespace
}  // namespace escan
