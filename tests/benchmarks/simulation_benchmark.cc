// How many samples a second are simulated: three stages under Poisson arrivals at about 80 % of
// what the plan can serve. Prints samples per second; the aim is a million in a few seconds.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "contracts/plan.h"
#include "contracts/profile.h"
#include "escan/cascade.h"
#include "simulation/simulation.h"

namespace escan {
namespace {

constexpr int64_t kSamples = 100'000;

CascadeSpec ThreeStages() {
  CascadeSpec cascade;
  cascade.name = "three_stages";
  cascade.max_rows = 16;
  cascade.slots = 4096;
  cascade.deadline = std::chrono::seconds(1);
  cascade.stages.resize(3);
  for (StageSpec& stage : cascade.stages) stage.buckets = {1, 4, 16};
  return cascade;
}

// Each stage twice as costly as the one before; a third of a step's time is the device's.
Profile CostsOf(const CascadeSpec& cascade) {
  Profile profile;
  profile.thread_percents = {100};
  profile.client_counts = {1};
  Seconds step = std::chrono::microseconds(200);
  for (const StageSpec& stage : cascade.stages) {
    StageCosts& costs = profile.stages.emplace_back();
    costs.buckets = stage.buckets;
    costs.step = {{step, step * 1.25, step * 2}};
    costs.steady_step = costs.step;
    costs.device_time = {{{step / 3, step * 1.25 / 3, step * 2 / 3}}};
    step *= 2;
  }
  return profile;
}

Plan Replicas(int count) {
  Plan plan;
  plan.workers.push_back({.count = count, .credits = 2, .stages = {0, 1, 2}});
  plan.stages.assign(3, {.max_batch = 16, .max_delay = std::chrono::milliseconds(1)});
  return plan;
}

void SimulatedSamples(benchmark::State& state) {
  const CascadeSpec cascade = ThreeStages();
  const Profile profile = CostsOf(cascade);
  const auto workers = static_cast<int>(state.range(0));
  const Plan plan = Replicas(workers);
  const auto rows = static_cast<int>(state.range(1));
  const SimulatedLoad load = {.pace = OpenLoad{.rate = 30'000.0 / rows},
                              .rows = rows,
                              .samples = kSamples,
                              .exits = {{.ratios = {0.5, 0.5}}}};
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        Simulate({.cascade = cascade, .plan = plan, .profile = profile}, load));
  }
  state.SetItemsProcessed(state.iterations() * kSamples);
}
BENCHMARK(SimulatedSamples)
    ->ArgNames({"workers", "rows_a_request"})
    ->Args({4, 1})
    ->Args({12, 1})
    ->Args({4, 16})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace escan
