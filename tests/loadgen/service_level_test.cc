#include "loadgen/service_level.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace escan::loadgen {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

constexpr Duration kObjectives[] = {milliseconds(20), milliseconds(60)};

// One request a millisecond, each with the latency that `latency_ms` gives its number.
template <typename LatencyMs>
std::vector<TimedAnswer> Answers(int count, LatencyMs latency_ms) {
  std::vector<TimedAnswer> answers;
  for (int i = 0; i < count; ++i) {
    answers.push_back({.due = milliseconds(i), .latency = milliseconds(latency_ms(i)), .rows = 2});
  }
  return answers;
}

TEST(ServiceLevel, OneRequestInAHundredMayBeLate) {
  const auto judge = [](int one_in) {
    return Judge(Answers(1000, [one_in](int i) { return i % one_in == 0 ? 50 : 10; }),
                 {.count = 1000, .span = seconds(1)}, kObjectives);
  };
  const ServiceLevel enough = judge(100);
  EXPECT_EQ(enough.p99, milliseconds(10));
  EXPECT_TRUE(enough.objectives[0].kept);
  EXPECT_EQ(enough.objectives[0].within, 990);
  EXPECT_EQ(enough.objectives[0].samples, 1980);
  EXPECT_EQ(enough.objectives[1].within, 1000);
  const ServiceLevel more = judge(90);
  EXPECT_EQ(more.p99, milliseconds(50));
  EXPECT_FALSE(more.objectives[0].kept);
  EXPECT_TRUE(more.objectives[1].kept);
}

TEST(ServiceLevel, RequestsThatWereNotAnsweredAreLate) {
  const std::vector<TimedAnswer> answers = Answers(990, [](int) { return 10; });
  const ServiceLevel few = Judge(answers, {.count = 1000, .span = seconds(1)}, kObjectives);
  EXPECT_EQ(few.p99, milliseconds(10));
  EXPECT_TRUE(few.objectives[0].kept);
  const ServiceLevel more = Judge(answers, {.count = 1010, .span = seconds(1)}, kObjectives);
  EXPECT_EQ(more.p99, std::nullopt);
  EXPECT_FALSE(more.objectives[1].kept);
  EXPECT_EQ(more.objectives[1].within, 990);
}

TEST(ServiceLevel, AQueueThatGrowsKeepsNoObjective) {
  // Two per cent over the capacity: 2 s of load leave 40 ms of work.
  const ServiceLevel level = Judge(Answers(2000, [](int i) { return 5 + i / 50; }),
                                   {.count = 2000, .span = seconds(2)}, kObjectives);
  EXPECT_LT(*level.p99, milliseconds(60));
  EXPECT_FALSE(level.steady);
  EXPECT_FALSE(level.objectives[1].kept);
}

TEST(ServiceLevel, AHiccupIsNoGrowth) {
  const ServiceLevel level =
      Judge(Answers(2000, [](int i) { return i > 1700 && i < 1750 ? 55 : 5; }),
            {.count = 2000, .span = seconds(2)}, kObjectives);
  EXPECT_TRUE(level.steady);
  EXPECT_FALSE(level.objectives[0].kept);
  EXPECT_TRUE(level.objectives[1].kept);
}

TEST(ServiceLevel, WithoutRequestsNothingIsKept) {
  const ServiceLevel level = Judge({}, {}, kObjectives);
  EXPECT_EQ(level.p99, std::nullopt);
  EXPECT_FALSE(level.objectives[0].kept);
}

TEST(Timeline, DividesRequestsByTheTimeAtWhichTheyWereDue) {
  const std::vector<TimelineInterval> timeline =
      DivideIntoIntervals(Answers(250, [](int i) { return i < 100 ? 30 : 10; }), milliseconds(250),
                          milliseconds(100), kObjectives);
  ASSERT_EQ(timeline.size(), 3u);
  EXPECT_EQ(timeline[0].succeeded, 100);
  EXPECT_THAT(timeline[0].within, ElementsAre(0, 100));
  EXPECT_EQ(timeline[0].p99, milliseconds(30));
  EXPECT_EQ(timeline[1].start, milliseconds(100));
  EXPECT_THAT(timeline[1].within, ElementsAre(100, 100));
  EXPECT_EQ(timeline[2].succeeded, 50);
}

}  // namespace
}  // namespace escan::loadgen
