#include "loadgen/difficulties.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>

#include "support/temporary_folder.h"

namespace escan::loadgen {
namespace {

using testing::ElementsAre;
using testing::Pair;

std::vector<float> Values(std::string_view bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// How many samples of requests [first, first + requests) have each difficulty.
std::map<float, int> Count(const Difficulties& difficulties, int segment, int64_t first,
                           int requests, int rows) {
  std::map<float, int> counts;
  for (int64_t request = first; request < first + requests; ++request) {
    for (const float value : Values(difficulties.Rows(segment, request, rows))) ++counts[value];
  }
  return counts;
}

TEST(Difficulties, GiveEachStageItsShareOfARound) {
  const Difficulties difficulties(ExitSchedule({0.5, 0.5}), 4, 1);
  EXPECT_THAT(Count(difficulties, 0, 0, 65536 / 4, 4),
              ElementsAre(Pair(0.5f, 32768), Pair(1.5f, 16384), Pair(2.5f, 16384)));
}

TEST(Difficulties, LeaveOutStagesWithoutAShare) {
  const Difficulties never(ExitSchedule({0, 1, 0.5}), 1, 1);
  EXPECT_THAT(Count(never, 0, 0, 65536, 1), ElementsAre(Pair(1.5f, 65536)));
  const Difficulties last(ExitSchedule({0, 0}), 1, 1);
  EXPECT_THAT(Count(last, 0, 0, 65536, 1), ElementsAre(Pair(2.5f, 65536)));
}

TEST(Difficulties, AreInRandomOrder) {
  // In each of 100 windows of 400 samples, a random order has within 5 standard deviations of the
  // share (but for one seed in 5,000), and not the same number.
  constexpr int kRequests = 100;
  constexpr double kShares[] = {0.25, 0.3, 0.45};
  const Difficulties difficulties(ExitSchedule({0.25, 0.4}), 4, 7);
  std::map<int, int> first_stage;
  for (int64_t window = 0; window < 100; ++window) {
    std::map<float, int> counts = Count(difficulties, 0, window * kRequests, kRequests, 4);
    for (int stage = 0; stage < 3; ++stage) {
      const double mean = 400 * kShares[stage];
      EXPECT_NEAR(counts[static_cast<float>(stage) + 0.5f], mean,
                  5 * std::sqrt(mean * (1 - kShares[stage])));
    }
    ++first_stage[counts[0.5f]];
  }
  EXPECT_GT(first_stage.size(), 10u);
}

TEST(Difficulties, FollowFromTheSeed) {
  const ExitSchedule schedule({0.5});
  const Difficulties first(schedule, 100, 1);
  const Difficulties again(schedule, 100, 1);
  const Difficulties other(schedule, 100, 2);
  EXPECT_EQ(first.Rows(0, 3, 100), again.Rows(0, 3, 100));
  EXPECT_NE(first.Rows(0, 3, 100), other.Rows(0, 3, 100));
}

TEST(Difficulties, RequestsTakeTurnsAndBeginAgain) {
  const Difficulties difficulties(ExitSchedule({0.5}), 30000, 1);  // three requests
  EXPECT_NE(difficulties.Rows(0, 0, 30000), difficulties.Rows(0, 2, 30000));
  EXPECT_EQ(difficulties.Rows(0, 0, 30000), difficulties.Rows(0, 3, 30000));
  EXPECT_EQ(difficulties.Rows(0, 5, 10), difficulties.Rows(0, 2, 30000).substr(0, 40));
}

TEST(Difficulties, EverySegmentHasItsOwn) {
  const TemporaryFolder folder;
  const auto schedule =
      ExitSchedule::FromFile(folder.Write("drift.csv", "seconds,exit_1\n0,1\n1,0.25\n"));
  ASSERT_TRUE(schedule.ok()) << schedule.status();
  const Difficulties difficulties(*schedule, 1, 1);
  EXPECT_THAT(Count(difficulties, 0, 0, 65536, 1), ElementsAre(Pair(0.5f, 65536)));
  EXPECT_THAT(Count(difficulties, 1, 0, 65536, 1),
              ElementsAre(Pair(0.5f, 16384), Pair(1.5f, 49152)));
}

}  // namespace
}  // namespace escan::loadgen
