#include "loadgen/exit_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temporary_folder.h"

namespace escan::loadgen {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::DoubleEq;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(ExitShares, AreOfAllSamplesAndAddUpToOne) {
  EXPECT_THAT(ExitShares({0.5, 0.5}), ElementsAre(DoubleEq(0.5), DoubleEq(0.25), DoubleEq(0.25)));
  EXPECT_THAT(ExitShares({0.25, 0.4}), ElementsAre(DoubleEq(0.25), DoubleEq(0.3), DoubleEq(0.45)));
  EXPECT_THAT(ExitShares({1, 0.5}), ElementsAre(1, 0, 0));
  EXPECT_THAT(ExitShares({}), ElementsAre(1));
}

TEST(ParseExitRatios, ReadsOneForEachStageButTheLast) {
  EXPECT_THAT(*ParseExitRatios("0.5,0.25"), ElementsAre(0.5, 0.25));
  EXPECT_THAT(*ParseExitRatios(" 0, 1 "), ElementsAre(0, 1));
}

TEST(ParseExitRatios, NamesTheStageWhoseRatioIsNone) {
  const auto message = [](std::string_view text) {
    const absl::StatusOr<std::vector<double>> ratios = ParseExitRatios(text);
    return std::string(ratios.status().message());
  };
  EXPECT_EQ(message(""), "exit ratio of stage 1: '' is not a number in [0, 1]");
  EXPECT_EQ(message("0.5,1.5"), "exit ratio of stage 2: '1.5' is not a number in [0, 1]");
  EXPECT_EQ(message("0.5,-0.1"), "exit ratio of stage 2: '-0.1' is not a number in [0, 1]");
  EXPECT_EQ(message("nan"), "exit ratio of stage 1: 'nan' is not a number in [0, 1]");
  EXPECT_EQ(message("50%"), "exit ratio of stage 1: '50%' is not a number in [0, 1]");
  EXPECT_EQ(message("0,0,0,0,0,0,0,0"), "found 8 exit ratios, expected 7 at most");
}

TEST(ExitSchedule, HasNoSegmentsByDefaultAndOneWithRatios) {
  EXPECT_THAT(ExitSchedule().segments(), IsEmpty());
  EXPECT_EQ(ExitSchedule().SegmentAt(seconds(5)), 0);
  const ExitSchedule constant({0.5, 0.25});
  ASSERT_EQ(constant.segments().size(), 1u);
  EXPECT_THAT(constant.segments()[0].ratios, ElementsAre(0.5, 0.25));
  EXPECT_EQ(constant.SegmentAt(seconds(5)), 0);
}

TEST(ExitSchedule, ReadsSegmentsThatHoldFromTheirTimeOn) {
  const TemporaryFolder folder;
  const auto schedule = ExitSchedule::FromFile(
      folder.Write("drift.csv", "seconds, exit_1, exit_2\r\n0, 0.5, 0.5\n\n2.5,0.9,0\n60,0,1\n"));
  ASSERT_TRUE(schedule.ok()) << schedule.status();
  ASSERT_EQ(schedule->segments().size(), 3u);
  EXPECT_EQ(schedule->segments()[1].start, milliseconds(2500));
  EXPECT_THAT(schedule->segments()[1].ratios, ElementsAre(0.9, 0));
  EXPECT_EQ(schedule->SegmentAt(-seconds(1)), 0);
  EXPECT_EQ(schedule->SegmentAt(seconds(0)), 0);
  EXPECT_EQ(schedule->SegmentAt(milliseconds(2499)), 0);
  EXPECT_EQ(schedule->SegmentAt(milliseconds(2500)), 1);
  EXPECT_EQ(schedule->SegmentAt(seconds(59)), 1);
  EXPECT_EQ(schedule->SegmentAt(std::chrono::hours(1)), 2);
}

struct BadFile {
  std::string content;
  std::string message;  // after FILE:
};

class ExitScheduleMistake : public testing::TestWithParam<BadFile> {};

TEST_P(ExitScheduleMistake, IsNamedWithItsLine) {
  const TemporaryFolder folder;
  const std::string file = folder.Write("drift.csv", GetParam().content);
  EXPECT_EQ(std::string(ExitSchedule::FromFile(file).status().message()),
            file + ":" + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    All, ExitScheduleMistake,
    testing::Values(
        BadFile{"", "1: the file ends before the first exit ratios"},
        BadFile{"seconds,exit_1\n", "2: the file ends before the first exit ratios"},
        BadFile{"0,0.5\n",
                "1: found the header '0,0.5', expected 'seconds,exit_1', with a column for each "
                "stage but the last"},
        BadFile{"seconds\n0\n",
                "1: found the header 'seconds', expected 'seconds,exit_1', with a column for each "
                "stage but the last"},
        BadFile{"seconds,a,b,c,d,e,f,g,h\n",
                "1: found the header 'seconds,a,b,c,d,e,f,g,h', expected "
                "'seconds,exit_1,exit_2,exit_3,exit_4,exit_5,exit_6,exit_7,exit_8', with a column "
                "for each stage but the last"},
        BadFile{"seconds,exit_1,exit_2,exit_3,exit_4,exit_5,exit_6,exit_7,exit_8\n",
                "1: found ratios for 8 stages, expected 7 at most"},
        BadFile{"seconds,exit_1,exit_2\n0,0.5\n", "2: found 2 fields, expected 3 as in the header"},
        BadFile{"seconds,exit_1\n1,0.5\n", "2: the first line is for 1 seconds, expected 0"},
        BadFile{"seconds,exit_1\nnow,0.5\n",
                "2: 'now' is not a time in seconds from 0 to 31536000"},
        BadFile{"seconds,exit_1\n0,0.5\n\n30,0.5\n30,0.6\n",
                "5: '30' seconds is not later than the line before"},
        BadFile{"seconds,exit_1,exit_2\n0,0.5,2\n",
                "2: exit ratio of stage 2: '2' is not a number in [0, 1]"}));

TEST(ExitSchedule, AFileThatIsNotThereIsNamed) {
  const absl::Status status = ExitSchedule::FromFile("/nowhere/drift.csv").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(std::string(status.message()), "/nowhere/drift.csv: cannot be opened");
}

}  // namespace
}  // namespace escan::loadgen
