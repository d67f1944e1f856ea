#include "scheduling/timer_wheel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr TimePoint kStart{seconds(5000)};

std::vector<SlotId> Expired(TimerWheel& wheel, TimePoint now) {
  std::vector<SlotId> slots;
  wheel.Expire(now, [&](SlotId slot) { slots.push_back(slot); });
  return slots;
}

TEST(TimerWheel, FiresWhenDueAndNotBefore) {
  TimerWheel wheel(4);
  Expired(wheel, kStart);
  wheel.Add(0, kStart + milliseconds(10));
  EXPECT_THAT(Expired(wheel, kStart + milliseconds(10) - Duration(1)), IsEmpty());
  EXPECT_THAT(Expired(wheel, kStart + milliseconds(10)), ElementsAre(0u));
  EXPECT_THAT(Expired(wheel, kStart + milliseconds(20)), IsEmpty());
}

TEST(TimerWheel, SaysNothingIsDueWhenItIsEmpty) {
  TimerWheel wheel(4);
  EXPECT_EQ(wheel.NextDue(), TimePoint::max());
  wheel.Add(1, kStart);
  EXPECT_LT(wheel.NextDue(), TimePoint::max());
  wheel.Remove(1);
  EXPECT_EQ(wheel.NextDue(), TimePoint::max());
}

TEST(TimerWheel, NextDueIsAtMostATickLate) {
  TimerWheel wheel(4);
  Expired(wheel, kStart);
  const TimePoint due = kStart + milliseconds(700);
  wheel.Add(2, due);
  EXPECT_GE(wheel.NextDue(), due);
  EXPECT_LE(wheel.NextDue(), due + TimerWheel::kTick);
  EXPECT_THAT(Expired(wheel, wheel.NextDue()), ElementsAre(2u));
}

TEST(TimerWheel, ARemovedTimerNeverFires) {
  TimerWheel wheel(4);
  wheel.Add(0, kStart);
  wheel.Add(1, kStart);
  wheel.Add(2, kStart);
  wheel.Remove(1);
  wheel.Remove(3);
  EXPECT_THAT(Expired(wheel, kStart), UnorderedElementsAre(0u, 2u));
}

TEST(TimerWheel, ATimerOfLaterRoundsWaitsForIts) {
  TimerWheel wheel(2);
  Expired(wheel, kStart);
  const TimePoint due = kStart + seconds(60);
  wheel.Add(0, due);
  TimePoint now = kStart;
  int wakes = 0;
  while (Expired(wheel, now).empty()) {
    ASSERT_LT(now, due);
    ASSERT_GT(wheel.NextDue(), now);
    now = wheel.NextDue();
    ++wakes;
  }
  EXPECT_GE(now, due);
  EXPECT_LE(now, due + TimerWheel::kTick);
  EXPECT_LE(wakes, 20);
}

TEST(TimerWheel, FiresAllAfterALongPause) {
  TimerWheel wheel(3);
  Expired(wheel, kStart);
  wheel.Add(0, kStart + milliseconds(1));
  wheel.Add(1, kStart + seconds(4));
  wheel.Add(2, kStart + seconds(90));
  EXPECT_THAT(Expired(wheel, kStart + seconds(3600)), UnorderedElementsAre(0u, 1u, 2u));
}

TEST(TimerWheel, ATimerOfThePastFiresAtTheNextCall) {
  TimerWheel wheel(1);
  Expired(wheel, kStart);
  wheel.Add(0, kStart - seconds(2));
  EXPECT_THAT(Expired(wheel, kStart), ElementsAre(0u));
}

TEST(TimerWheel, ATimerAtTheEndOfTimeIsNone) {
  TimerWheel wheel(1);
  wheel.Add(0, TimePoint::max());
  EXPECT_EQ(wheel.NextDue(), TimePoint::max());
}

TEST(TimerWheel, AgreesWithASortedMapUnderRandomUse) {
  constexpr SlotId kSlots = 200;
  std::mt19937 random(3);
  TimerWheel wheel(kSlots);
  std::map<SlotId, TimePoint> reference;
  TimePoint now = kStart;
  for (int step = 0; step < 30000; ++step) {
    const SlotId slot = random() % kSlots;
    if (reference.erase(slot) > 0) {
      wheel.Remove(slot);
    } else {
      reference[slot] = now + Duration(random() % 9'000'000'000);
      wheel.Add(slot, reference[slot]);
    }
    now += Duration(random() % (random() % 100 == 0 ? 2'000'000'000 : 2'000'000));
    wheel.Expire(now, [&](SlotId fired) {
      ASSERT_TRUE(reference.contains(fired));
      ASSERT_LE(reference[fired], now);
      reference.erase(fired);
    });
    for (const auto& [waiting, due] : reference) {
      ASSERT_GT(due, now);
      ASSERT_LE(wheel.NextDue(), due + TimerWheel::kTick);
    }
    if (reference.empty()) {
      ASSERT_EQ(wheel.NextDue(), TimePoint::max());
    } else {
      ASSERT_GT(wheel.NextDue(), now);
    }
  }
}

}  // namespace
}  // namespace escan
