#include "scheduling/batch_sizing.h"

#include <gtest/gtest.h>

#include <vector>

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::vector<int> kBuckets = {1, 4, 16, 64};

int Take(int available, int max_batch, const std::vector<Duration>& times,
         Duration slack = seconds(10)) {
  return RowsToTake({.available = available,
                     .max_batch = max_batch,
                     .buckets = kBuckets,
                     .step_times = times,
                     .slack = slack});
}

TEST(BatchSizing, TakesAllWhileTimesAreUnknown) {
  const std::vector<Duration> unknown(4);
  EXPECT_EQ(Take(7, 64, unknown), 7);
  EXPECT_EQ(Take(100, 64, unknown), 64);
  const std::vector<Duration> half = {milliseconds(1), milliseconds(2), Duration(0), Duration(0)};
  EXPECT_EQ(Take(7, 64, half), 7);
}

TEST(BatchSizing, PadsWhenThatGivesMoreRowsPerTime) {
  // 7 rows in 3 ms beat 4 rows in 2 ms.
  const std::vector<Duration> times = {milliseconds(1), milliseconds(2), milliseconds(3),
                                       milliseconds(9)};
  EXPECT_EQ(Take(7, 64, times), 7);
}

TEST(BatchSizing, FillsTheBucketBelowWhenThatGivesMoreRowsPerTime) {
  // 4 rows in 2 ms beat 5 rows in 3 ms.
  const std::vector<Duration> times = {milliseconds(1), milliseconds(2), milliseconds(3),
                                       milliseconds(9)};
  EXPECT_EQ(Take(5, 64, times), 4);
}

TEST(BatchSizing, AFullBucketIsTakenAsItIs) {
  const std::vector<Duration> slow_top = {milliseconds(1), milliseconds(2), milliseconds(50),
                                          milliseconds(99)};
  EXPECT_EQ(Take(16, 64, slow_top), 16);
  EXPECT_EQ(Take(1, 64, slow_top), 1);
}

TEST(BatchSizing, NeverTakesMoreThanTheLimit) {
  const std::vector<Duration> times = {milliseconds(1), milliseconds(2), milliseconds(3),
                                       milliseconds(9)};
  EXPECT_EQ(Take(500, 12, times), 12);
  EXPECT_EQ(Take(500, 1, times), 1);
}

TEST(BatchSizing, APartialBatchShrinksToMakeTheDeadline) {
  const std::vector<Duration> times = {milliseconds(1), milliseconds(2), milliseconds(3),
                                       milliseconds(9)};
  EXPECT_EQ(Take(12, 64, times, milliseconds(3)), 12);
  EXPECT_EQ(Take(12, 64, times, Duration(milliseconds(3)) - Duration(1)), 4);
  EXPECT_EQ(Take(12, 64, times, milliseconds(1)), 1);
}

TEST(BatchSizing, DoesNotShrinkForADeadlineThatIsLost) {
  const std::vector<Duration> times = {milliseconds(2), milliseconds(3), milliseconds(4),
                                       milliseconds(9)};
  EXPECT_EQ(Take(12, 64, times, milliseconds(1)), 12);
}

TEST(BatchSizing, AFullBatchDoesNotShrink) {
  const std::vector<Duration> times = {milliseconds(1), milliseconds(2), milliseconds(3),
                                       milliseconds(9)};
  EXPECT_EQ(Take(40, 16, times, milliseconds(1)), 16);
}

}  // namespace
}  // namespace escan
