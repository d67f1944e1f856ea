#include "scheduling/stage_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace escan {
namespace {

using std::chrono::seconds;

TimePoint At(int64_t ns) { return TimePoint(Duration(ns)); }

SlotId Pop(StageQueue& queue) {
  const SlotId slot = queue.head();
  queue.Remove(slot);
  return slot;
}

TEST(Urgency, OrdersByPriorityThenDeadlineThenArrival) {
  const Urgency base = Urgency::Of(2, At(100), 5);
  EXPECT_LT(Urgency::Of(1, At(900), 9), base);
  EXPECT_LT(Urgency::Of(2, At(99), 9), base);
  EXPECT_LT(Urgency::Of(2, At(100), 4), base);
  EXPECT_LT(base, Urgency::Of(3, At(1), 1));
}

TEST(Urgency, KeepsTheDeadline) {
  EXPECT_EQ(Urgency::Of(3, At(123456789), 1).deadline(), At(123456789));
  EXPECT_GT(Urgency::Of(1, TimePoint::max(), 1).deadline(), At(0) + std::chrono::years(100));
}

TEST(StageQueue, ServesTheMostUrgentFirst) {
  StageQueue queue(4);
  queue.Push(0, Urgency::Of(2, At(30), 1), At(0));
  queue.Push(1, Urgency::Of(2, At(10), 2), At(0));
  queue.Push(2, Urgency::Of(1, At(90), 3), At(0));
  queue.Push(3, Urgency::Of(2, At(10), 4), At(0));
  EXPECT_EQ(Pop(queue), 2u);
  EXPECT_EQ(Pop(queue), 1u);
  EXPECT_EQ(Pop(queue), 3u);
  EXPECT_EQ(Pop(queue), 0u);
  EXPECT_TRUE(queue.empty());
}

TEST(StageQueue, KnowsSinceWhenItsOldestSampleWaits) {
  StageQueue queue(3);
  queue.Push(0, Urgency::Of(2, At(30), 1), At(1));
  queue.Push(1, Urgency::Of(2, At(20), 2), At(2));
  queue.Push(2, Urgency::Of(2, At(10), 3), At(3));
  EXPECT_EQ(queue.oldest_since(), At(1));
  queue.Remove(0);
  EXPECT_EQ(queue.oldest_since(), At(2));
  queue.Remove(1);
  EXPECT_EQ(queue.oldest_since(), At(3));
  EXPECT_EQ(queue.since(2), At(3));
}

TEST(StageQueue, AReturnedSampleCountsAsTheOldestEvenIfItCameLater) {
  StageQueue queue(3);
  queue.Push(0, Urgency::Of(2, At(30), 1), At(5));
  queue.PushOldest(1, Urgency::Of(2, At(20), 2), At(7));
  EXPECT_EQ(queue.oldest_since(), At(5));
  queue.PushOldest(2, Urgency::Of(2, At(10), 3), At(3));
  EXPECT_EQ(queue.oldest_since(), At(3));
  queue.Remove(2);
  queue.Remove(1);
  EXPECT_EQ(queue.oldest_since(), At(5));
}

TEST(StageQueue, AgreesWithASortedMapUnderRandomUse) {
  constexpr SlotId kSlots = 300;
  std::mt19937 random(7);
  StageQueue queue(kSlots);
  std::map<std::pair<uint64_t, uint64_t>, SlotId> reference;
  std::vector<Urgency> urgencies(kSlots);
  uint64_t arrival = 0;
  for (int step = 0; step < 50000; ++step) {
    const SlotId slot = random() % kSlots;
    if (queue.contains(slot)) {
      queue.Remove(slot);
      reference.erase({urgencies[slot].level, urgencies[slot].arrival});
    } else {
      urgencies[slot] =
          Urgency::Of(static_cast<int>(1 + random() % 3), At(random() % 50), ++arrival);
      queue.Push(slot, urgencies[slot], At(step));
      reference[{urgencies[slot].level, urgencies[slot].arrival}] = slot;
    }
    ASSERT_EQ(queue.size(), static_cast<int>(reference.size()));
    if (!reference.empty()) {
      ASSERT_EQ(queue.head(), reference.begin()->second);
    }
    if (random() % 4 == 0 && !queue.empty()) {
      ASSERT_EQ(Pop(queue), reference.begin()->second);
      reference.erase(reference.begin());
    }
  }
}

}  // namespace
}  // namespace escan
