#include "loadgen/tally.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(Tally, CountsExitsAndRightAnswersByStage) {
  Tally tally;
  tally.AddAnswer(milliseconds(2), 3, {kStages, kScores}, kLabels);
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
  tally.AddAnswer(milliseconds(2), 3, {kStages, {}}, {}, 0);
  tally.AddAnswer(milliseconds(2), 3, {kStages, {}}, {}, 2);
  tally.AddAnswer(milliseconds(2), 1, {Bytes<int32_t>({3}), {}}, {}, 2);
  Tally other;
  other.AddAnswer(milliseconds(2), 1, {Bytes<int32_t>({2}), {}}, {}, 2);
  tally.Merge(std::move(other));
  EXPECT_EQ(tally.exits().at(1).samples, 4);
  EXPECT_EQ(tally.exits().at(3).samples, 3);
  EXPECT_EQ(tally.exits_in(0).at(3).samples, 1);
  EXPECT_TRUE(tally.exits_in(1).empty());
  EXPECT_EQ(tally.exits_in(2).at(1).samples, 2);
  EXPECT_EQ(tally.exits_in(2).at(2).samples, 1);
  EXPECT_EQ(tally.exits_in(2).at(3).samples, 2);
}

TEST(Tally, AnswersWithoutExitStagesCountAsAnswers) {
  Tally tally;
  tally.AddAnswer(milliseconds(2), 3, {}, {});
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
  tally.AddAnswer(milliseconds(1), 2, {kStages, {}}, {});
  EXPECT_EQ(tally.errors().at("BAD_ANSWER").first_message, "exit_stage has 12 bytes, expected 8");
  EXPECT_EQ(tally.succeeded(), 0);
}

TEST(Tally, AStageThatCannotBeIsAnError) {
  Tally tally;
  tally.AddAnswer(milliseconds(1), 1, {Bytes<int32_t>({0}), {}}, {});
  EXPECT_EQ(tally.errors().at("BAD_ANSWER").first_message, "exit_stage is 0, expected 1 to 8");
}

TEST(Tally, LabelsNeedScores) {
  Tally tally;
  tally.AddAnswer(milliseconds(1), 3, {kStages, {}}, kLabels);
  EXPECT_EQ(tally.errors().at("BAD_ANSWER").first_message,
            "the label output has 0 raw bytes, expected FP32 for 3 rows");
}

TEST(Tally, MergesWhatThreadsCounted) {
  Tally first;
  first.AddAnswer(milliseconds(1), 3, {kStages, kScores}, kLabels);
  first.AddError(absl::UnavailableError("first"));
  Tally second;
  second.AddAnswer(milliseconds(2), 3, {kStages, kScores}, kLabels);
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
