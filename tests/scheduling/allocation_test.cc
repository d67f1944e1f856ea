// The scheduler's promise to allocate nothing per sample, checked by counting every allocation of
// the program.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "scheduling/scheduler.h"

namespace {

std::atomic<uint64_t> allocations{0};

}  // namespace

// Not inlined, lest compilers see a malloc that is freed by delete.
[[gnu::noinline]] void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace escan {
namespace {

// Answers each batch in the next round, half of its rows passing, and reuses settled slots. Now and
// then answers are checked, and are right.
class SteadyLoad : public SchedulerActions {
 public:
  SteadyLoad() {
    cascade_.stages.resize(3);
    for (StageSpec& stage : cascade_.stages) stage.buckets = {1, 4, 8};
    plan_.stages.assign(3, {.max_batch = 8, .max_delay = std::chrono::milliseconds(1)});
    next_slot_.assign(kSlots, kNoSlot);
    scheduler_ = std::make_unique<Scheduler>(cascade_, plan_, next_slot_, this,
                                             SchedulerOptions{.verify_every = 16});
    free_.reserve(kSlots);
    pending_.reserve(64);
    landing_.reserve(64);
    for (SlotId slot = 0; slot < kSlots; ++slot) free_.push_back(slot);
    for (int worker = 0; worker < 3; ++worker) scheduler_->WorkerReady(worker, {0, 1, 2}, 2, now_);
  }

  void Dispatch(const Batch& batch) override {
    pending_.push_back({batch.worker, batch.sequence, batch.slots.size()});
  }
  void Complete(const RequestKey&, const Outcome&) override { ++completed_; }
  void Compared(const Comparison&) override { ++checks_; }
  void Settled(const RequestKey& key) override { free_.push_back(key.first_slot); }

  void Round() {
    now_ += std::chrono::microseconds(50);
    const bool rests = ++rounds_ % 32 < 8;  // there is time for checks
    for (int i = 0; i < 20 && !free_.empty() && !rests; ++i) {
      const SlotId slot = free_.back();
      free_.pop_back();
      scheduler_->Admit({.key = {slot, ++ids_},
                         .rows = 1,
                         .arrival = now_,
                         .deadline = now_ + std::chrono::milliseconds(500)},
                        now_);
    }
    landing_.swap(pending_);
    pending_.clear();
    for (const Pending& batch : landing_) {
      scheduler_->BatchDone(batch.worker,
                            {.sequence = batch.sequence,
                             .scores = {kScores, batch.rows},
                             .exits = {kExits, batch.rows},
                             .failed = {kFailed, batch.rows},
                             .differs = {kFailed, batch.rows},
                             .message = {},
                             .execute_time = std::chrono::microseconds(50)},
                            now_);
    }
    scheduler_->Advance(now_);
  }

  int completed() const { return completed_; }
  int checks() const { return checks_; }

 private:
  struct Pending {
    WorkerId worker;
    uint64_t sequence;
    size_t rows;
  };
  static constexpr SlotId kSlots = 128;
  static constexpr float kScores[8] = {};
  static constexpr uint8_t kExits[8] = {1, 0, 1, 0, 0, 1, 0, 1};
  static constexpr uint8_t kFailed[8] = {};

  CascadeSpec cascade_;
  Plan plan_;
  std::vector<SlotId> next_slot_;
  std::unique_ptr<Scheduler> scheduler_;
  std::vector<SlotId> free_;
  std::vector<Pending> pending_;
  std::vector<Pending> landing_;
  TimePoint now_{std::chrono::seconds(1000)};
  uint64_t ids_ = 0;
  int completed_ = 0;
  int checks_ = 0;
  int rounds_ = 0;
};

TEST(Scheduler, AllocatesNothingPerSampleOrBatch) {
  SteadyLoad load;
  for (int i = 0; i < 100; ++i) load.Round();
  const uint64_t before = allocations.load();
  const int completed = load.completed();
  for (int i = 0; i < 1000; ++i) load.Round();
  EXPECT_EQ(allocations.load(), before);
  EXPECT_GT(load.completed(), completed + 5000);
  EXPECT_GT(load.checks(), 10);
}

}  // namespace
}  // namespace escan
