#include "server/protocol/answer_feedback.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace escan {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using Classes = std::vector<AnsweredClass>;
using Labels = std::vector<int64_t>;

class AnswerFeedbackTest : public testing::Test {
 protected:
  absl::Status Label(const std::string& id, const Labels& labels) {
    return feedback_.Label(id, labels, now_);
  }
  void Remember(const std::string& id, const Classes& rows) { feedback_.Remember(id, rows, now_); }

  AnswerFeedback feedback_{{.samples = 10, .keep = minutes(1)}, 2};
  TimePoint now_{seconds(1000)};
};

TEST_F(AnswerFeedbackTest, LabelsCountAtTheStagesThatAnswered) {
  Remember("a", {{.stage = 0, .label = 3}, {.stage = 1, .label = 4}, {.stage = 0, .label = 5}});
  EXPECT_TRUE(Label("a", {3, 9, 9}).ok());
  EXPECT_THAT(feedback_.accuracy(), ElementsAre(StageAccuracy{.labelled = 2, .correct = 1},
                                                StageAccuracy{.labelled = 1, .correct = 0}));
}

TEST_F(AnswerFeedbackTest, LabelsCountOnce) {
  Remember("a", {{.stage = 0, .label = 3}});
  EXPECT_TRUE(Label("a", {3}).ok());
  EXPECT_EQ(Label("a", {3}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(feedback_.accuracy()[0].labelled, 1u);
  EXPECT_EQ(feedback_.remembered_samples(), 0u);
}

TEST_F(AnswerFeedbackTest, ARequestNeedsALabelForEachRow) {
  Remember("a", {{.stage = 0, .label = 3}, {.stage = 0, .label = 3}});
  const absl::Status status = Label("a", {3});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()), "request 'a' has 2 rows, but there are 1 labels");
  EXPECT_TRUE(Label("a", {3, 3}).ok()) << "it is still there";
}

TEST_F(AnswerFeedbackTest, ForgetsTheOldestBeyondItsNumberOfSamples) {
  for (int i = 0; i < 100; ++i) {
    Remember(std::to_string(i), {{.stage = 0, .label = i}, {.stage = 0, .label = i}});
    EXPECT_LE(feedback_.remembered_samples(), 10u);
  }
  EXPECT_THAT(std::string(Label("94", {94, 94}).message()),
              HasSubstr("no answer to a request with the id '94' is remembered"));
  EXPECT_TRUE(Label("95", {95, 95}).ok());
  EXPECT_TRUE(Label("99", {99, 99}).ok());
}

TEST_F(AnswerFeedbackTest, ForgetsWhatIsTooOld) {
  Remember("a", {{.stage = 0, .label = 3}});
  Remember("b", {{.stage = 0, .label = 3}});
  now_ += minutes(1);
  EXPECT_TRUE(Label("a", {3}).ok());
  now_ += Duration(1);
  EXPECT_EQ(Label("b", {3}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(feedback_.remembered_samples(), 0u);
}

TEST_F(AnswerFeedbackTest, OfTwoRequestsWithOneIdTheLaterIsRemembered) {
  Remember("a", {{.stage = 0, .label = 3}});
  Remember("a", {{.stage = 1, .label = 4}});
  EXPECT_EQ(feedback_.remembered_samples(), 1u);
  EXPECT_TRUE(Label("a", {4}).ok());
  EXPECT_EQ(feedback_.accuracy()[1].correct, 1u);
}

TEST_F(AnswerFeedbackTest, DoesNotRememberWhatHasNoIdOrATooLongOneOrTooManyRows) {
  Remember("", {{.stage = 0, .label = 3}});
  Remember(std::string(AnswerFeedback::kLongestId + 1, 'x'), {{.stage = 0, .label = 3}});
  Remember("many", Classes(11, {.stage = 0, .label = 3}));
  EXPECT_EQ(feedback_.remembered_samples(), 0u);
  Remember(std::string(AnswerFeedback::kLongestId, 'x'), {{.stage = 0, .label = 3}});
  EXPECT_EQ(feedback_.remembered_samples(), 1u);
}

TEST(AnswerFeedback, SaysThatItRemembersNothing) {
  AnswerFeedback feedback({}, 1);
  EXPECT_FALSE(feedback.remembers());
  EXPECT_EQ(feedback.Label("a", Labels{1}, TimePoint{}).code(),
            absl::StatusCode::kFailedPrecondition);
  feedback.Count(Classes{{.stage = 0, .label = 2}}, Labels{2});
  EXPECT_THAT(feedback.accuracy(), ElementsAre(StageAccuracy{.labelled = 1, .correct = 1}));
}

}  // namespace
}  // namespace escan
