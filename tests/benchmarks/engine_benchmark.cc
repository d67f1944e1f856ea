// Samples per second of the engine without gRPC: slab, mailbox, scheduler, frames and one worker
// process whose stages do nothing. A fixed number of requests is under way; each answer lets the
// next one go. The null executor's score is 0, so every sample crosses all stages.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <future>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "profiling/closed_loop.h"
#include "supervision/cpu_share.h"

namespace escan {
namespace {

constexpr int kMaxBatch = 64;
constexpr size_t kRowBytes = 784;
constexpr int kRepetitions = 5;
constexpr Duration kDeadline = std::chrono::minutes(1);
constexpr Duration kPatience = std::chrono::seconds(30);  // for the worker's start

CascadeSpec NullCascade(int stages, int slots) {
  CascadeSpec cascade;
  cascade.name = "nothing";
  cascade.max_rows = kMaxBatch;
  cascade.deadline = kDeadline;
  cascade.inputs = {{.name = "image", .datatype = Datatype::kUint8, .shape = {kRowBytes}}};
  cascade.outputs = {{.name = "probabilities", .datatype = Datatype::kFp32, .shape = {10}}};
  cascade.slots = slots;
  for (int i = 0; i < stages; ++i) {
    StageSpec& stage = cascade.stages.emplace_back();
    stage.name = "stage" + std::to_string(i);
    stage.executor = ExecutorKind::kNull;
    stage.inputs = {TensorRef{}};
    stage.outputs = cascade.outputs;
    stage.answer = {0};
    stage.buckets = {1, 4, 16, kMaxBatch};
    stage.exit = {.score = ExitScore::kMaxProbability, .output = 0, .threshold = 0.5f};
  }
  return cascade;
}

Plan OneWorker(int stages) {
  Plan plan;
  WorkerGroup& worker = plan.workers.emplace_back();
  worker.credits = 2;
  worker.stages.resize(static_cast<size_t>(stages));
  std::iota(worker.stages.begin(), worker.stages.end(), 0);
  plan.stages.assign(static_cast<size_t>(stages), {.max_batch = kMaxBatch});
  return plan;
}

// Returns when every stage has a ready worker.
absl::StatusOr<std::unique_ptr<Engine>> StartEngine(const CascadeSpec& cascade, const Plan& plan) {
  EngineOptions options;
  options.host = std::make_shared<PlainWorkerHost>(WorkerCommand{
      .program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "escan-worker"});
  options.devices = {Device{}};
  options.cpus = UsableCpus();
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Start(cascade, plan, options);
  if (!engine.ok()) return engine;
  const auto became_ready = std::make_shared<std::promise<void>>();
  (*engine)->OnReadyChange([became_ready, told = false](bool ready) mutable {
    if (ready && !std::exchange(told, true)) became_ready->set_value();
  });
  if (became_ready->get_future().wait_for(kPatience) != std::future_status::ready) {
    return absl::UnavailableError("the worker did not become ready");
  }
  return engine;
}

// Over all stages, since the engine was started.
struct BatchTotals {
  uint64_t rows = 0;
  uint64_t batches = 0;
};

BatchTotals TotalsOf(const EngineStatus& status) {
  BatchTotals totals;
  for (const EngineStatus::Stage& stage : status.stages) {
    totals.rows += stage.statistics.samples_executed;
    totals.batches += stage.statistics.batches;
  }
  return totals;
}

void Samples(benchmark::State& state) {
  constexpr int64_t kAnswersPerIteration = 1000;
  const auto rows = static_cast<int>(state.range(0));
  const auto stages = static_cast<int>(state.range(1));
  const auto requests = static_cast<int>(state.range(2));
  // A request's slots are free a moment after its answer, so more are needed than are under way.
  const int slots = std::max(4 * rows * requests, 2 * kMaxBatch);
  const absl::StatusOr<std::unique_ptr<Engine>> engine =
      StartEngine(NullCascade(stages, slots), OneWorker(stages));
  if (!engine.ok()) return state.SkipWithError(std::string(engine.status().message()).c_str());

  const std::array<std::byte, kRowBytes> row{};
  ClosedLoop clients(engine->get(), {.clients = requests, .rows = rows, .fill = [&](SlotId slot) {
                                       std::memcpy((*engine)->input(slot, 0), row.data(),
                                                   kRowBytes);
                                     }});
  absl::Status status = clients.WaitForAnswers(kAnswersPerIteration);
  const BatchTotals before = TotalsOf((*engine)->AwaitStatus());
  const int64_t answered_before = clients.answered();
  for (auto _ : state) {
    status.Update(clients.WaitForAnswers(clients.answered() + kAnswersPerIteration));
    if (!status.ok()) return state.SkipWithError(std::string(status.message()).c_str());
  }
  state.SetItemsProcessed((clients.answered() - answered_before) * rows);
  const BatchTotals after = TotalsOf((*engine)->AwaitStatus());
  state.counters["mean_batch_rows"] = static_cast<double>(after.rows - before.rows) /
                                      static_cast<double>(after.batches - before.batches);
}
BENCHMARK(Samples)
    ->ArgNames({"rows_a_request", "stages", "requests_under_way"})
    ->ArgsProduct({{1, 16}, {1, 3}, {1, 64}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->Repetitions(kRepetitions)
    ->DisplayAggregatesOnly();

}  // namespace
}  // namespace escan
