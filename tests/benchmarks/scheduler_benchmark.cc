// Decisions per second of the scheduler alone: three stages, eight workers that answer at once,
// half of the samples leaving at each of the first two stages. Prints samples per second; the aim
// is one million on one core.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <random>
#include <vector>

#include "contracts/plan.h"
#include "escan/cascade.h"
#include "escan/ids.h"
#include "scheduling/scheduler.h"

namespace escan {
namespace {

constexpr int kSlots = 4096;
constexpr int kWorkers = 8;
constexpr int kMaxBatch = 16;
constexpr size_t kCoins = 4096;

CascadeSpec ThreeStages() {
  CascadeSpec cascade;
  cascade.slots = kSlots;
  cascade.stages.resize(3);
  for (StageSpec& stage : cascade.stages) stage.buckets = {1, 4, 16};
  return cascade;
}

Plan Policies() {
  Plan plan;
  const StagePolicy policy{.max_batch = kMaxBatch, .max_delay = std::chrono::milliseconds(1)};
  plan.stages.assign(3, policy);
  return plan;
}

// The clients and the workers of a scheduler: each free slot gets a new request at once, and each
// batch its result in the next round.
class ClosedLoop : public SchedulerActions {
 public:
  explicit ClosedLoop(int rows)
      : rows_(rows), scheduler_(cascade_, plan_, Chains(rows), this), coins_(kCoins) {
    std::minstd_rand random(1);
    for (uint8_t& coin : coins_) coin = random() % 2 == 0;
    for (int first = 0; first + rows <= kSlots; first += rows) {
      free_.push_back(static_cast<SlotId>(first));
    }
    batches_.reserve(kWorkers * 2);
    landing_.reserve(kWorkers * 2);
    for (int worker = 0; worker < kWorkers; ++worker) {
      scheduler_.WorkerReady(worker, {0, 1, 2}, 2, now_);
    }
  }

  void Dispatch(const Batch& batch) override {
    batches_.push_back({batch.worker, batch.sequence, batch.slots.size()});
  }
  void Complete(const RequestKey&, const Outcome&) override { ++completed_; }
  void Settled(const RequestKey& key) override { free_.push_back(key.first_slot); }

  void Round() {
    now_ += std::chrono::microseconds(20);
    while (!free_.empty()) {
      const SlotId first = free_.back();
      free_.pop_back();
      scheduler_.Admit({.key = {first, ++ids_},
                        .rows = rows_,
                        .arrival = now_,
                        .deadline = now_ + std::chrono::seconds(1)},
                       now_);
      scheduler_.Advance(now_);
    }
    landing_.swap(batches_);
    batches_.clear();
    for (const Pending& batch : landing_) {
      const size_t from = (coin_ += batch.rows) % (kCoins - kMaxBatch);
      scheduler_.BatchDone(batch.worker,
                           {.sequence = batch.sequence,
                            .scores = {scores_.data(), batch.rows},
                            .exits = {coins_.data() + from, batch.rows},
                            .failed = {failed_.data(), batch.rows},
                            .message = {},
                            .execute_time = std::chrono::microseconds(20)},
                           now_);
      scheduler_.Advance(now_);
    }
  }

  int64_t samples() const { return completed_ * rows_; }

 private:
  struct Pending {
    WorkerId worker;
    uint64_t sequence;
    size_t rows;
  };

  std::span<const SlotId> Chains(int rows) {
    for (int slot = 0; slot < kSlots; ++slot) {
      next_slot_.push_back((slot + 1) % rows == 0 ? kNoSlot : static_cast<SlotId>(slot + 1));
    }
    return next_slot_;
  }

  const int rows_;
  const CascadeSpec cascade_ = ThreeStages();
  const Plan plan_ = Policies();
  std::vector<SlotId> next_slot_;
  Scheduler scheduler_;
  TimePoint now_{std::chrono::seconds(1)};
  std::vector<uint8_t> coins_;
  size_t coin_ = 0;
  std::array<float, kMaxBatch> scores_{};
  std::array<uint8_t, kMaxBatch> failed_{};
  std::vector<SlotId> free_;
  std::vector<Pending> batches_;
  std::vector<Pending> landing_;
  uint64_t ids_ = 0;
  int64_t completed_ = 0;
};

void Decisions(benchmark::State& state) {
  ClosedLoop loop(static_cast<int>(state.range(0)));
  for (auto _ : state) loop.Round();
  state.SetItemsProcessed(loop.samples());
}
BENCHMARK(Decisions)->ArgName("rows_a_request")->Arg(1)->Arg(16);

}  // namespace
}  // namespace escan
