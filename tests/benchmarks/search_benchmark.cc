// Time of a search by the model for a plan on one device, and beside it how many plans its grid
// holds and how many of them are evaluated. The profile is made up: launch times that no share
// shortens, work that a share of the device can do only so fast and small batches cannot spread,
// and noise of 3 % in every figure.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "allocation/model_search.h"
#include "allocation/step_costs.h"
#include "allocation/workload.h"
#include "contracts/profile.h"

namespace escan {
namespace {

const std::vector<int> kAllBuckets{1, 2, 4, 8, 16, 32, 64, 128};

StageCosts MakeStage(const Profile& profile, int index, int buckets, std::minstd_rand& random) {
  StageCosts stage{.input_bytes = 3072, .memory_bytes = size_t{100} << 20};
  for (int i = 1; i <= buckets; ++i) {
    stage.buckets.push_back(
        kAllBuckets[kAllBuckets.size() * static_cast<size_t>(i) / static_cast<size_t>(buckets) -
                    1]);
  }
  std::uniform_real_distribution<double> noise(0.97, 1.03);
  const double launch = 200e-6 + 150e-6 * index;
  const double per_row = 8e-6 * std::pow(2.2, index);
  const double row_width = 0.03 * std::pow(1.5, index);  // part of the device that a row can use
  for (const int percent : profile.thread_percents) {
    const auto kernel = [&](int rows) {
      return launch + rows * per_row / std::min(percent / 100.0, row_width * rows);
    };
    stage.step.emplace_back();
    stage.steady_step.emplace_back();
    stage.device_time.emplace_back();
    for (const int rows : stage.buckets) {
      stage.step.back().emplace_back((kernel(rows) + 60e-6) * noise(random));
      stage.steady_step.back().emplace_back(kernel(rows) * noise(random));
    }
    for (const int clients : profile.client_counts) {
      stage.device_time.back().emplace_back();
      for (const int rows : stage.buckets) {
        const double full = std::hypot(kernel(rows) / clients, rows * per_row + 40e-6);
        stage.device_time.back().back().emplace_back(full * noise(random));
      }
    }
  }
  return stage;
}

Profile MakeProfile(int stages, int buckets) {
  Profile profile{.thread_percents = {10, 25, 40, 60, 80, 100},
                  .client_counts = {1, 2, 4, 8, 12},
                  .bus_bytes_per_second = 20e9,
                  .device_memory_bytes = size_t{80} << 30,
                  .context_bytes = size_t{500} << 20};
  std::minstd_rand random(1);
  for (int i = 0; i < stages; ++i) {
    profile.stages.push_back(MakeStage(profile, i, buckets, random));
  }
  return profile;
}

void Search(benchmark::State& state, const Workload& given) {
  const Profile profile =
      MakeProfile(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  Workload workload = given;
  workload.exit_ratios.assign(profile.stages.size(), 0.5);
  const StepCosts costs(profile);
  Allocation allocation;
  for (auto _ : state) allocation = *SearchByModel(costs, workload);
  const double plans = GridSize(profile);
  state.counters["plans"] = plans;
  state.counters["evaluated"] = static_cast<double>(allocation.evaluations);
  state.counters["plans/evaluated"] = plans / static_cast<double>(allocation.evaluations);
}

// The sizes that the aims are for, and a smaller one.
void Sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"stages", "buckets"})->Unit(benchmark::kMillisecond);
  benchmark->Args({3, 4})->Args({3, 8})->Args({5, 8});
}

BENCHMARK_CAPTURE(Search, HighestRate, Workload{})->Apply(Sizes);
BENCHMARK_CAPTURE(Search, HighestRateWithP99, Workload{.objective = Seconds(0.02)})->Apply(Sizes);
BENCHMARK_CAPTURE(Search, LeastP99, Workload{.rate = 5000, .objective = Seconds(0.02)})
    ->Apply(Sizes);

}  // namespace
}  // namespace escan
