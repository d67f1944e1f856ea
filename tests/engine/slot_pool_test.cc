#include "engine/slot_pool.h"

#include <set>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace escan {
namespace {

std::vector<SlotId> ChainOf(const SlotPool& pool, const RequestKey& key) {
  std::vector<SlotId> chain;
  for (SlotId slot = key.first_slot; slot != kNoSlot; slot = pool.next()[slot]) {
    chain.push_back(slot);
  }
  return chain;
}

TEST(SlotPool, GivesDistinctSlotsInAChainOfTheRequestedLength) {
  SlotPool pool(8);
  const std::vector<SlotId> first = ChainOf(pool, *pool.Acquire(3));
  const std::vector<SlotId> second = ChainOf(pool, *pool.Acquire(5));
  EXPECT_EQ(first.size(), 3u);
  EXPECT_EQ(second.size(), 5u);
  std::set<SlotId> all(first.begin(), first.end());
  all.insert(second.begin(), second.end());
  EXPECT_EQ(all.size(), 8u);
}

TEST(SlotPool, GivesAllOrNone) {
  SlotPool pool(4);
  ASSERT_TRUE(pool.Acquire(3).has_value());
  EXPECT_FALSE(pool.Acquire(2).has_value());
  EXPECT_EQ(pool.in_use(), 3);
  EXPECT_TRUE(pool.Acquire(1).has_value());
}

TEST(SlotPool, TakesAChainBackOnlyFromItsLastHolder) {
  SlotPool pool(2);
  const RequestKey key = *pool.Acquire(2);
  pool.AddHolder(key);
  pool.Drop(key);
  EXPECT_EQ(pool.in_use(), 2);
  pool.Drop(key);
  EXPECT_EQ(pool.in_use(), 0);
  EXPECT_TRUE(pool.Acquire(2).has_value());
}

TEST(SlotPool, NeverRepeatsARequestNumber) {
  SlotPool pool(1);
  const RequestKey first = *pool.Acquire(1);
  pool.Drop(first);
  const RequestKey second = *pool.Acquire(1);
  EXPECT_EQ(first.first_slot, second.first_slot);
  EXPECT_NE(first.id, second.id);
}

TEST(SlotPool, KeepsEverySlotUnderConcurrentUse) {
  SlotPool pool(64);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&pool, t] {
      for (int i = 0; i < 2000; ++i) {
        const std::optional<RequestKey> key = pool.Acquire(1 + (i + t) % 20);
        if (key.has_value()) pool.Drop(*key);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool.in_use(), 0);
  EXPECT_EQ(ChainOf(pool, *pool.Acquire(64)).size(), 64u);
}

TEST(SlotPool, WaitsUntilTheLastSlotIsBack) {
  SlotPool pool(2);
  const RequestKey key = *pool.Acquire(1);
  EXPECT_FALSE(pool.WaitUntilEmpty(Clock::now()));
  std::thread owner([&] { pool.Drop(key); });
  EXPECT_TRUE(pool.WaitUntilEmpty(Clock::now() + std::chrono::minutes(1)));
  owner.join();
}

}  // namespace
}  // namespace escan
