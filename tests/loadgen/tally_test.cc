#include "loadgen/tally.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace escan::loadgen {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

template <typename T>
std::string Bytes(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(std::data(values)), values.size() * sizeof(T)};
}

const std::string kStages = Bytes<int32_t>({1, 3, 1});
const std::string kScores = Bytes<float>({.9f, .1f, .2f, .8f, .3f, .7f});
const int64_t kLabels[] = {0, 1, 0};

AnsweredRequest Request(int latency_ms, int rows, absl::Span<const int64_t> labels = {},
                        int exit_segment = 0) {
  return {.time = {.latency = milliseconds(latency_ms), .rows = rows},
          .labels = labels,
          .exit_segment = exit_segment};
}

TEST(Tally, CountsExitsAndRightAnswersByStage) {
  Tally tally;
  tally.AddAnswer(Request(2, 3, kLabels), {kStages, kScores});
  EXPECT_EQ(tally.succeeded(), 1);
  EXPECT_EQ(tally.samples(), 3);
  EXPECT_EQ(tally.correct(), 2);
  ASSERT_EQ(tally.exits().size(), 2u);
  EXPECT_EQ(tally.exits().at(1).samples, 2);
  EXPECT_EQ(tally.exits().at(1).correct, 1);
  EXPECT_EQ(tally.exits().at(3).samples, 1);
  EXPECT_EQ(tally.exits().at(3).correct, 1);
  EXPECT_THAT(tally.latencies(), ElementsAre(milliseconds(2)));
}

TEST(Tally, CountsExitsBySegment) {
  Tally tally;
  tally.AddAnswer(Request(2, 3, {}, 0), {kStages, {}});
  tally.AddAnswer(Request(2, 3, {}, 2), {kStages, {}});
  tally.AddAnswer(Request(2, 1, {}, 2), {Bytes<int32_t>({3}), {}});
  Tally other;
  other.AddAnswer(Request(2, 1, {}, 2), {Bytes<int32_t>({2}), {}});
  tally.Merge(std::move(other));
  EXPECT_EQ(tally.exits().at(1).samples, 4);
  EXPECT_EQ(tally.exits().at(3).samples, 3);
  EXPECT_EQ(tally.exits_in(0).at(3).samples, 1);
  EXPECT_TRUE(tally.exits_in(1).empty());
  EXPECT_EQ(tally.exits_in(2).at(1).samples, 2);
  EXPECT_EQ(tally.exits_in(2).at(2).samples, 1);
  EXPECT_EQ(tally.exits_in(2).at(3).samples, 2);
}

TEST(Tally, CountsSamplesThatLeaveAtAnotherStageThanTheirDifficultySays) {
  const std::string difficulties = Bytes<float>({0.5f, 1.5f, 0.0f});  // for stages 1, 2, 1
  AnsweredRequest request = Request(2, 3);
  request.difficulties = difficulties;
  Tally tally;
  tally.AddAnswer(request, {kStages, {}});
  EXPECT_EQ(tally.misplaced(), 1);
  Tally other;
  other.AddAnswer(request, {Bytes<int32_t>({2, 2, 1}), {}});
  other.Merge(std::move(tally));
  EXPECT_EQ(other.misplaced(), 2);
  other.AddAnswer(Request(2, 3), {kStages, {}});
  EXPECT_EQ(other.misplaced(), 2);
}

TEST(Tally, AnswersWithoutExitStagesCountAsAnswers) {
  Tally tally;
  tally.AddAnswer(Request(2, 3), {});
  EXPECT_EQ(tally.samples(), 3);
  EXPECT_TRUE(tally.exits().empty());
}

TEST(Tally, ErrorsAreCountedByCodeWithTheFirstMessage) {
  Tally tally;
  tally.AddError(absl::ResourceExhaustedError("no slot"));
  tally.AddError(absl::ResourceExhaustedError("still none"));
  tally.AddError(absl::DeadlineExceededError("late"));
  EXPECT_EQ(tally.failed(), 3);
  EXPECT_EQ(tally.errors().at("RESOURCE_EXHAUSTED").count, 2);
  EXPECT_EQ(tally.errors().at("RESOURCE_EXHAUSTED").first_message, "no slot");
  EXPECT_EQ(tally.errors().at("DEADLINE_EXCEEDED").count, 1);
}

TEST(Tally, AnAnswerOfTheWrongSizeIsAnError) {
  Tally tally;
  tally.AddAnswer(Request(1, 2), {kStages, {}});
  EXPECT_EQ(tally.errors().at("BAD_ANSWER").first_message, "exit_stage has 12 bytes, expected 8");
  EXPECT_EQ(tally.succeeded(), 0);
}

TEST(Tally, AStageThatCannotBeIsAnError) {
  Tally tally;
  tally.AddAnswer(Request(1, 1), {Bytes<int32_t>({0}), {}});
  EXPECT_EQ(tally.errors().at("BAD_ANSWER").first_message, "exit_stage is 0, expected 1 to 8");
}

TEST(Tally, LabelsNeedScores) {
  Tally tally;
  tally.AddAnswer(Request(1, 3, kLabels), {kStages, {}});
  EXPECT_EQ(tally.errors().at("BAD_ANSWER").first_message,
            "the label output has 0 raw bytes, expected FP32 for 3 rows");
}

TEST(Tally, ADefectOfTheAnswerIsAnError) {
  Tally tally;
  EXPECT_FALSE(tally.AddAnswer(Request(1, 1), {.defect = "the answer has no output 'scores'"}));
  EXPECT_EQ(tally.errors().at("BAD_ANSWER").first_message, "the answer has no output 'scores'");
}

// Two samples, of which stage 1 is known to answer 1 and 2 to the first and the second, and stage 2
// to answer 10 to the second.
class ComparingTally : public testing::Test {
 protected:
  ComparingTally() {
    Set(0, 1, 1);
    Set(1, 1, 2);
    Set(1, 2, 10);
  }

  void Set(int64_t sample, int stage, float value) {
    const std::string bytes = Bytes({value});
    right_.Set(sample, stage, {bytes});
  }

  bool Add(Tally& tally, int64_t first_row, const std::string& stages, const std::string& values) {
    AnsweredRequest request = Request(1, static_cast<int>(values.size() / sizeof(float)));
    request.right = &right_;
    request.first_row = first_row;
    return tally.AddAnswer(request, {.exit_stages = stages, .outputs = {values}});
  }

  RightAnswers right_{{{.name = "value", .datatype = Datatype::kFp32, .shape = {1}}}, 2, 0.05};
};

TEST_F(ComparingTally, CountsRightAnswersBySampleAndStage) {
  Tally tally;
  EXPECT_TRUE(Add(tally, 0, Bytes<int32_t>({1, 2}), Bytes<float>({1.05f, 10.4f})));
  EXPECT_TRUE(Add(tally, 1, Bytes<int32_t>({1}), Bytes<float>({2})));
  EXPECT_EQ(tally.compared().right, 3);
  EXPECT_EQ(tally.compared().wrong, 0);
  EXPECT_EQ(tally.succeeded(), 2);
}

TEST_F(ComparingTally, ARequestWithAWrongRowIsAnErrorThatSaysWhich) {
  Tally tally;
  const float nan = std::nanf("");
  EXPECT_FALSE(Add(tally, 0, Bytes<int32_t>({1, 2}), Bytes<float>({1, nan})));
  EXPECT_FALSE(Add(tally, 1, Bytes<int32_t>({1}), Bytes<float>({10})));
  const std::string first =
      "sample 1, stage 2, in a request of 2 rows: 'value'[0] is nan where 10 is right";
  EXPECT_EQ(tally.compared().right, 1);
  EXPECT_EQ(tally.compared().wrong, 2);
  EXPECT_EQ(tally.compared().first_wrong, first);
  EXPECT_EQ(tally.errors().at("BAD_ANSWER").count, 2);
  EXPECT_EQ(tally.errors().at("BAD_ANSWER").first_message, first);
  EXPECT_EQ(tally.succeeded(), 0);
  EXPECT_EQ(tally.samples(), 0);
}

TEST_F(ComparingTally, WhereExitsAreControlledTheStageThatWasAskedForIsRight) {
  const std::string difficulties = Bytes<float>({0.5f, 1.5f});
  const auto add = [&](Tally& tally, std::initializer_list<float> values) {
    const std::string bytes = Bytes(values);
    AnsweredRequest request = Request(1, 2);
    request.right = &right_;
    request.difficulties = difficulties;
    return tally.AddAnswer(request, {.exit_stages = Bytes<int32_t>({1, 1}), .outputs = {bytes}});
  };
  Tally tally;
  EXPECT_TRUE(add(tally, {1, 10}));
  EXPECT_FALSE(add(tally, {1, 2}));
  EXPECT_EQ(tally.compared().first_wrong,
            "sample 1, stage 2 (it left at 1), in a request of 2 rows: 'value'[0] is 2 where 10 is "
            "right");
}

TEST_F(ComparingTally, SamplesAreRepeatedInARequest) {
  Tally tally;
  EXPECT_TRUE(Add(tally, 0, Bytes<int32_t>({1, 1, 1, 1, 1}), Bytes<float>({1, 2, 1, 2, 1})));
  EXPECT_FALSE(Add(tally, 0, Bytes<int32_t>({1, 1, 1, 1, 1}), Bytes<float>({1, 2, 1, 2, 2})));
  EXPECT_EQ(tally.compared().first_wrong,
            "sample 0, stage 1, in a request of 5 rows: 'value'[0] is 2 where 1 is right");
}

TEST_F(ComparingTally, AStageWithoutARightAnswerIsCountedAndNoError) {
  Tally tally;
  EXPECT_TRUE(Add(tally, 0, Bytes<int32_t>({2, 3}), Bytes<float>({7, 7})));
  EXPECT_EQ(tally.compared().unknown, 2);
  EXPECT_EQ(tally.compared().right, 0);
  EXPECT_EQ(tally.samples(), 2);
}

TEST_F(ComparingTally, MergesWhatWasCompared) {
  Tally first, second;
  Add(first, 0, Bytes<int32_t>({1}), Bytes<float>({1}));
  Add(second, 0, Bytes<int32_t>({1}), Bytes<float>({3}));
  Add(second, 0, Bytes<int32_t>({3}), Bytes<float>({3}));
  first.Merge(std::move(second));
  EXPECT_EQ(first.compared().right, 1);
  EXPECT_EQ(first.compared().wrong, 1);
  EXPECT_EQ(first.compared().unknown, 1);
  EXPECT_EQ(first.compared().first_wrong,
            "sample 0, stage 1, in a request of 1 row: 'value'[0] is 3 where 1 is right");
}

TEST(Tally, MergesWhatThreadsCounted) {
  Tally first;
  first.AddAnswer(Request(1, 3, kLabels), {kStages, kScores});
  first.AddError(absl::UnavailableError("first"));
  Tally second;
  second.AddAnswer(Request(2, 3, kLabels), {kStages, kScores});
  second.AddError(absl::UnavailableError("second"));
  first.Merge(std::move(second));
  EXPECT_EQ(first.samples(), 6);
  EXPECT_EQ(first.correct(), 4);
  EXPECT_EQ(first.exits().at(1).samples, 4);
  EXPECT_EQ(first.errors().at("UNAVAILABLE").count, 2);
  EXPECT_EQ(first.errors().at("UNAVAILABLE").first_message, "first");
  EXPECT_THAT(first.latencies(), ElementsAre(milliseconds(1), milliseconds(2)));
}

}  // namespace
}  // namespace escan::loadgen
