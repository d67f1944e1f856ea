// With the engine of a cascade whose workers are processes that compute nothing.
#include "profiling/slot_rotation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

#include "profiling/closed_loop.h"
#include "profiling/profiled_cascade.h"
#include "profiling/stage_alone.h"
#include "supervision/cpu_share.h"
#include "supervision/misbehaving_worker.h"

namespace escan {
namespace {

using testing::SizeIs;

constexpr int kSlots = 10;

std::unique_ptr<Engine> StartEngine() {
  CascadeSpec cascade = StageAlone(ProfiledCascade(), 0);
  cascade.slots = kSlots;
  Plan plan;
  plan.workers = {{.count = 1, .thread_percent = 100, .stages = {0}}};
  plan.stages = {{.max_batch = 1}};
  absl::StatusOr<std::unique_ptr<Engine>> engine =
      Engine::Start(cascade, plan,
                    {.host = std::make_shared<PlainWorkerHost>(MisbehavingWorker("good")),
                     .devices = {Device{}},
                     .cpus = UsableCpus()});
  EXPECT_TRUE(engine.ok()) << engine.status();
  return *std::move(engine);
}

// The first slots of the chains that are handed out when each is given back before the next.
std::vector<SlotId> TakeInTurn(SlotRotation& rotation, int times) {
  std::vector<SlotId> slots;
  for (int i = 0; i < times; ++i) {
    const std::optional<RequestKey> key = rotation.Take();
    if (!key.has_value()) break;
    slots.push_back(key->first_slot);
    rotation.Return(*key);
  }
  return slots;
}

TEST(SlotRotation, UsesEverySlotBeforeOneAgain) {
  const std::unique_ptr<Engine> engine = StartEngine();
  SlotRotation rotation(engine.get(), 1);
  const std::vector<SlotId> first = TakeInTurn(rotation, kSlots);
  EXPECT_THAT(std::set<SlotId>(first.begin(), first.end()), SizeIs(kSlots));
  EXPECT_EQ(TakeInTurn(rotation, kSlots), first);
}

TEST(SlotRotation, TheNextOneGoesOnWhereTheLastOneEnded) {
  const std::unique_ptr<Engine> engine = StartEngine();
  std::vector<SlotId> first;
  {
    SlotRotation rotation(engine.get(), 1);
    first = TakeInTurn(rotation, kSlots);
    TakeInTurn(rotation, 3);
  }
  SlotRotation rotation(engine.get(), 1);
  EXPECT_EQ(TakeInTurn(rotation, 3), std::vector<SlotId>(first.begin() + 3, first.begin() + 6));
}

TEST(SlotRotation, HasNoMoreThanTheSlots) {
  const std::unique_ptr<Engine> engine = StartEngine();
  SlotRotation rotation(engine.get(), 4);
  const std::optional<RequestKey> one = rotation.Take();
  const std::optional<RequestKey> two = rotation.Take();
  ASSERT_TRUE(one.has_value() && two.has_value());
  EXPECT_FALSE(rotation.Take().has_value());
  rotation.Return(*one);
  EXPECT_TRUE(rotation.Take().has_value());
  rotation.Return(*two);
}

TEST(SlotRotation, TakesUpSlotsThatBecomeFreeLater) {
  const std::unique_ptr<Engine> engine = StartEngine();
  const RequestKey other = engine->Acquire(8).value();
  SlotRotation rotation(engine.get(), 1);
  TakeInTurn(rotation, 2);
  engine->Release(other);
  const std::vector<SlotId> slots = TakeInTurn(rotation, kSlots);
  EXPECT_THAT(std::set<SlotId>(slots.begin(), slots.end()), SizeIs(kSlots));
}

TEST(SlotRotation, GivesAllSlotsBack) {
  const std::unique_ptr<Engine> engine = StartEngine();
  {
    SlotRotation rotation(engine.get(), 1);
    TakeInTurn(rotation, 2);
  }
  EXPECT_TRUE(engine->Acquire(kSlots).ok());
}

TEST(ClosedLoop, OneRequestUnderWayGoesThroughAllSlotsInTurn) {
  const std::unique_ptr<Engine> engine = StartEngine();
  std::vector<SlotId> used;
  {
    ClosedLoop loop(engine.get(), {.clients = 1,
                                   .rows = 1,
                                   .fill = [&](SlotId slot) { used.push_back(slot); },
                                   .rotate_slots = true});
    ASSERT_TRUE(loop.WaitForAnswers(3 * kSlots, Clock::now() + std::chrono::minutes(1)).ok());
  }
  ASSERT_GE(used.size(), 3u * kSlots);
  EXPECT_THAT(std::set<SlotId>(used.begin(), used.begin() + kSlots), SizeIs(kSlots));
}

}  // namespace
}  // namespace escan
