#include "scheduling/survivor_lines.h"

#include <gtest/gtest.h>

namespace escan {
namespace {

constexpr TimePoint kNow{std::chrono::seconds(5)};

TEST(SurvivorLines, KeepTheSurvivorsOfABatchTogetherAndInOrder) {
  SurvivorLines lines(8);
  lines.Append(2, 10, 4, 1, kNow);
  lines.Append(2, 10, 1, 1, kNow);
  lines.Append(2, 11, 3, 1, kNow);
  EXPECT_EQ(lines.head(2), 4u);
  EXPECT_EQ(lines.head_batch(2), 10u);
  EXPECT_EQ(lines.HeadGroup(2, 16), 2);
  EXPECT_EQ(lines.HeadGroup(2, 1), 1);
  lines.Remove(4);
  EXPECT_EQ(lines.head(2), 1u);
  lines.Remove(1);
  EXPECT_EQ(lines.head_batch(2), 11u);
  lines.Remove(3);
  EXPECT_TRUE(lines.empty(2));
}

TEST(SurvivorLines, AreOneAWorker) {
  SurvivorLines lines(8);
  lines.Append(0, 1, 0, 1, kNow);
  lines.Append(5, 2, 1, 2, kNow);
  EXPECT_TRUE(lines.empty(1));
  EXPECT_TRUE(lines.empty(77));
  EXPECT_EQ(lines.head(0), 0u);
  EXPECT_EQ(lines.head_stage(5), 2);
}

TEST(SurvivorLines, AnyoneMayLeave) {
  SurvivorLines lines(8);
  for (SlotId slot = 0; slot < 4; ++slot) lines.Append(0, 1, slot, 1, kNow);
  lines.Remove(1);
  lines.Remove(3);
  EXPECT_FALSE(lines.contains(1, 1));
  EXPECT_TRUE(lines.contains(2, 1));
  EXPECT_FALSE(lines.contains(2, 2));
  EXPECT_EQ(lines.HeadGroup(0, 16), 2);
  lines.Remove(0);
  EXPECT_EQ(lines.head(0), 2u);
  EXPECT_EQ(lines.since(2), kNow);
}

TEST(SurvivorLines, StagesOfOneBatchGoOnApart) {
  SurvivorLines lines(8);
  lines.Append(0, 1, 0, 1, kNow);
  lines.Append(0, 1, 1, 2, kNow);
  EXPECT_EQ(lines.HeadGroup(0, 16), 1);
}

}  // namespace
}  // namespace escan
