#include "arrays/right_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <initializer_list>
#include <iterator>

#include "arrays/zip_files.h"
#include "support/temporary_folder.h"

namespace escan {
namespace {

using testing::Optional;

constexpr double kTolerance = 0.25;

const std::vector<TensorSpec> kOutputs = {
    {.name = "scores", .datatype = Datatype::kFp32, .shape = {2}},
    {.name = "class", .datatype = Datatype::kInt32}};

template <typename T>
std::string Bytes(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(std::data(values)), values.size() * sizeof(T)};
}

// Two samples: what the first stage answers is right to within 0.25, the second to within 2.5.
const std::string kByStage = Bytes<float>({1, 0, 0, 1, /* stage 2 */ 10, 0, 0, 10});

class RightAnswersFile : public testing::Test {
 protected:
  absl::StatusOr<RightAnswers> Read(const std::vector<ZipRecord>& members) {
    file_ = folder_.Write("right.npz", Zip(members));
    return RightAnswers::FromFile(file_, kOutputs, 2, kTolerance);
  }

  // The error without the file's name.
  std::string Message(const std::vector<ZipRecord>& members) {
    const absl::Status status = Read(members).status();
    std::string message(status.message());
    EXPECT_EQ(message.find(file_ + ": "), 0u) << message;
    return message.substr(file_.size() + 2);
  }

  const TemporaryFolder folder_;
  std::string file_;
};

RightAnswers::Verdict Judge(const RightAnswers& answers, int64_t sample, int stage,
                            std::initializer_list<float> scores, int32_t number = 0) {
  const std::string found = Bytes(scores);
  const std::string index = Bytes({number});
  return answers.Judge(sample, stage, {found, index});
}

TEST_F(RightAnswersFile, DependOnTheStageThatAnswers) {
  const auto answers = Read({{"scores.npy", Npy("<f4", "(2, 2, 2)", kByStage)}});
  ASSERT_TRUE(answers.ok()) << answers.status();
  EXPECT_EQ(Judge(*answers, 0, 1, {1, 0.2f}).wrong, std::nullopt);
  EXPECT_EQ(Judge(*answers, 1, 2, {2, 10}).wrong, std::nullopt);
  EXPECT_THAT(Judge(*answers, 0, 2, {1, 0}).wrong,
              Optional(std::string("'scores'[0] is 1 where 10 is right")));
  EXPECT_THAT(Judge(*answers, 1, 1, {1, 0}).wrong,
              Optional(std::string("'scores'[0] is 1 where 0 is right")));
  EXPECT_THAT(Judge(*answers, 1, 1, {0, NAN}).wrong,
              Optional(std::string("'scores'[1] is nan where 1 is right")));
  EXPECT_FALSE(Judge(*answers, 0, 3, {1, 0}).known);
}

TEST_F(RightAnswersFile, MayBeTheSameForAllStages) {
  const auto answers = Read({{"scores.npy", Npy("<f4", "(2, 2)", kByStage.substr(0, 16))},
                             {"class.npy", Npy("<i4", "(2,)", Bytes<int32_t>({7, 8}))}});
  ASSERT_TRUE(answers.ok()) << answers.status();
  for (const int stage : {1, 3}) {
    EXPECT_TRUE(Judge(*answers, 0, stage, {1, 0}, 7).known);
    EXPECT_EQ(Judge(*answers, 0, stage, {1, 0}, 7).wrong, std::nullopt);
    EXPECT_THAT(Judge(*answers, 1, stage, {0, 1}, 7).wrong,
                Optional(std::string("'class' is 7 where 8 is right")));
  }
}

TEST_F(RightAnswersFile, SaysWhatItHoldsAndWhatWasExpected) {
  EXPECT_EQ(Message({}), "holds no array");
  EXPECT_EQ(Message({{"logits.npy", Npy("<f4", "(1,)", "1234")}}),
            "the model has no output 'logits'; its outputs are scores, class");
  EXPECT_EQ(Message({{"scores.npy", Npy("<f4", "(1, 2)", "12345678")}}),
            "'scores' holds FP32 [1,2], expected FP32 [2,2] or [stages,2,2]");
  EXPECT_EQ(Message({{"scores.npy", Npy("<f8", "(2, 2)", std::string(32, '\0'))}}),
            "'scores' holds FP64 [2,2], expected FP32 [2,2] or [stages,2,2]");
  EXPECT_EQ(Message({{"class.npy", Npy("<i4", "(2,)", "12345678")},
                     {"scores.npy", Npy("<f4", "(2, 2, 2)", kByStage)}}),
            "'scores' has the shape [2,2,2], expected as many stages as the arrays before");
  EXPECT_EQ(Message({{"scores.npy", "hello"}}),
            "array 'scores' is neither an IDX nor a .npy file: it begins with 68656c6c");
  EXPECT_EQ(Message({{"class", Npy("<i4", "(2,)", "12345678")},
                     {"class.npy", Npy("<i4", "(2,)", "12345678")}}),
            "array 'class' is there twice");
}

TEST_F(RightAnswersFile, ThatIsNoArchiveIsNamed) {
  const std::string file = folder_.Write("right.npz", "hello");
  EXPECT_EQ(RightAnswers::FromFile(file, kOutputs, 2, kTolerance).status().message(),
            file + ": is not a .npz file");
  const std::string cut = folder_.Write("cut.npz", Zip({{"a", "b"}}).substr(0, 40));
  EXPECT_EQ(
      RightAnswers::FromFile(cut, kOutputs, 2, kTolerance).status().message(),
      cut + ": this is a zip archive that was cut short: the directory at its end is missing");
}

TEST(RightAnswers, AreKnownWhereTheyWereSet) {
  RightAnswers answers(kOutputs, 2, kTolerance);
  EXPECT_FALSE(Judge(answers, 0, 1, {1, 0}).known);
  const std::string scores = Bytes<float>({4, -8});
  const std::string index = Bytes<int32_t>({1});
  answers.Set(1, 2, {scores, index});
  EXPECT_FALSE(Judge(answers, 0, 2, {4, -8}, 1).known);
  EXPECT_FALSE(Judge(answers, 1, 1, {4, -8}, 1).known);
  EXPECT_TRUE(Judge(answers, 1, 2, {6, -6}, 1).known);
  EXPECT_EQ(Judge(answers, 1, 2, {6, -6}, 1).wrong, std::nullopt);  // a quarter of 8
  EXPECT_THAT(Judge(answers, 1, 2, {6.5f, -8}, 1).wrong,
              Optional(std::string("'scores'[0] is 6.5 where 4 is right")));
  EXPECT_THAT(Judge(answers, 1, 2, {4, -8}, 2).wrong,
              Optional(std::string("'class' is 2 where 1 is right")));
}

}  // namespace
}  // namespace escan
