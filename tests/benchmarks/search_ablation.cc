// What the parts of a search for a plan bring: for random worlds, and for profiles that were
// measured, the goodput that the simulator finds for the plan of
//   all      the search by the model, the simulator's choice among its best, the simulator's climb
//   simple   the simulator's climb from simple plans alone
// and the time that it took. A JSON line for each world; then the geometric means of the ratios to
// `all` and the times.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "config/config.h"
#include "config/files.h"
#include "config/profile_file.h"
#include "simulation/plan_search.h"
#include "simulation/simulated_climb.h"
#include "simulation/simulated_figures.h"

namespace escan {
namespace {

using Json = nlohmann::json;

struct World {
  std::string name;
  CascadeSpec cascade;
  Profile profile;
  Workload workload;
};

constexpr int kWays = 2;
constexpr const char* kNames[kWays] = {"all", "simple"};

struct Outcome {
  double goodput[kWays] = {};
  double seconds[kWays] = {};
};

class RandomWorlds {
 public:
  explicit RandomWorlds(unsigned seed) : random_(seed) {}

  World Next(int number) {
    World world{.name = "random " + std::to_string(number)};
    world.cascade.name = "random";
    world.cascade.max_rows = 64;
    world.cascade.slots = 1 << 16;
    world.cascade.deadline = std::chrono::hours(1);
    Profile& profile = world.profile;
    profile.thread_percents = {10, 25, 40, 60, 80, 100};
    profile.client_counts = {1, 2, 4, 8, 12};
    profile.bus_bytes_per_second = 20e9;
    profile.device_memory_bytes = size_t{80} << 30;
    profile.context_bytes = size_t{500} << 20;
    const int stages = Between(2, 4);
    const double growth = Real(1.3, 4);
    const double launch = std::pow(10, Real(-4.3, -3));
    const double per_row = std::pow(10, Real(-6, -4.3));
    const double width = std::pow(10, Real(-2, -0.5));
    const int largest = Between(4, 8);
    for (int i = 0; i < stages; ++i) {
      const double scale = std::pow(growth, i);
      AddStage(i, launch * (1 + 0.5 * i), per_row * scale, std::min(1.0, width * scale), largest,
               &world);
      world.workload.exit_ratios.push_back(i + 1 < stages ? Real(0.1, 0.95) : 1.0);
    }
    double alone = 0;
    for (const StageCosts& stage : profile.stages) alone += stage.step.back().front().count();
    world.workload.objective = Seconds(alone * std::pow(10, Real(0.4, 1.3)));
    world.workload.rows_per_request = Between(0, 2) == 0 ? 8 : 1;
    return world;
  }

 private:
  int Between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  double Real(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  }

  // A part of the device can do only so much, and small batches cannot spread; 3 % of noise.
  void AddStage(int index, double launch, double per_row, double row_width, int largest,
                World* world) {
    StageSpec spec{.name = "stage" + std::to_string(index)};
    StageCosts stage{.input_bytes = 3072, .memory_bytes = size_t{100} << 20};
    for (int power = 0; power < largest; ++power) stage.buckets.push_back(1 << power);
    spec.buckets = stage.buckets;
    const auto noise = [this] { return Real(0.97, 1.03); };
    for (const int percent : world->profile.thread_percents) {
      const auto kernel = [&](int rows) {
        return launch + rows * per_row / std::min(percent / 100.0, row_width * rows);
      };
      stage.step.emplace_back();
      stage.steady_step.emplace_back();
      stage.device_time.emplace_back();
      for (const int rows : stage.buckets) {
        stage.step.back().emplace_back((kernel(rows) + 60e-6) * noise());
        stage.steady_step.back().emplace_back(kernel(rows) * noise());
      }
      for (const int clients : world->profile.client_counts) {
        stage.device_time.back().emplace_back();
        for (const int rows : stage.buckets) {
          const double full = std::hypot(kernel(rows) / clients, rows * per_row + 40e-6);
          stage.device_time.back().back().emplace_back(full * noise());
        }
      }
    }
    world->profile.stages.push_back(std::move(stage));
    world->cascade.stages.push_back(std::move(spec));
  }

  std::minstd_rand random_;
};

// Of a cascade that was profiled: exit ratios and objectives as those of docs/evaluation.md.
void AddMeasured(const std::string& config, const std::string& profile_file, int rows,
                 std::vector<World>* worlds) {
  const absl::StatusOr<Device> device = LoadProfiledDevice(profile_file);
  if (!device.ok()) {
    throw CLI::ValidationError(profile_file, std::string(device.status().message()));
  }
  const absl::StatusOr<Config> loaded = LoadConfigFor(config, {*device});
  if (!loaded.ok()) throw CLI::ValidationError(config, std::string(loaded.status().message()));
  const CascadeSpec& cascade = loaded->cascades.front().spec;
  const absl::StatusOr<MeasuredProfile> measured = LoadProfile(profile_file, cascade);
  if (!measured.ok()) {
    throw CLI::ValidationError(profile_file, std::string(measured.status().message()));
  }
  double alone = 0;
  for (const StageCosts& stage : measured->profile.stages) {
    alone += stage.step.back().front().count();
  }
  for (const double ratio : {0.3, 0.5, 0.8}) {
    for (const double factor : {3.0, 10.0}) {
      World world{.name = profile_file, .cascade = cascade, .profile = measured->profile};
      world.workload.exit_ratios.assign(cascade.stages.size(), ratio);
      world.workload.exit_ratios.back() = 1;
      world.workload.objective = Seconds(alone * factor);
      world.workload.rows_per_request = rows;
      worlds->push_back(std::move(world));
    }
  }
}

absl::StatusOr<Plan> Find(int way, const PlanQuery& query) {
  if (way == 0) {
    absl::StatusOr<ChosenPlan> chosen = SearchPlan(query);
    if (!chosen.ok()) return chosen.status();
    return chosen->allocation.best.plan;
  }
  const StepCosts costs(query.profile);
  const SimulatedClimb climb(query, costs, Goal::kGoodput);
  absl::StatusOr<std::optional<SimulatedPlan>> simple = climb.BestSimple({});
  if (!simple.ok()) return simple.status();
  if (!simple->has_value()) return absl::NotFoundError("no simple plan");
  absl::StatusOr<SimulatedPlan> found = climb.Climb(**std::move(simple));
  if (!found.ok()) return found.status();
  return found->plan;
}

Outcome Try(const World& world) {
  Outcome outcome;
  const PlanQuery query{
      .profile = world.profile, .cascade = world.cascade, .workload = world.workload};
  for (int way = 0; way < kWays; ++way) {
    const TimePoint start = Clock::now();
    const absl::StatusOr<Plan> plan = Find(way, query);
    outcome.seconds[way] = Seconds(Clock::now() - start).count();
    if (!plan.ok()) continue;
    const auto figures = SimulatePlan(query.SystemWith(*plan), world.workload, Goal::kGoodput);
    if (figures.ok()) outcome.goodput[way] = figures->goodput;
  }
  return outcome;
}

std::vector<Outcome> TryAll(const std::vector<World>& worlds, int threads) {
  std::vector<Outcome> outcomes(worlds.size());
  std::atomic<size_t> next = 0;
  std::mutex printing;
  std::vector<std::jthread> pool;
  for (int i = 0; i < threads; ++i) {
    pool.emplace_back([&] {
      for (size_t world; (world = next++) < worlds.size();) {
        const Outcome& outcome = outcomes[world] = Try(worlds[world]);
        Json line = {{"world", worlds[world].name}};
        for (int way = 0; way < kWays; ++way) {
          line[kNames[way]] = {{"goodput", outcome.goodput[way]}, {"s", outcome.seconds[way]}};
        }
        const std::lock_guard lock(printing);
        std::puts(line.dump().c_str());
      }
    });
  }
  pool.clear();
  return outcomes;
}

void PrintMeans(const std::vector<Outcome>& outcomes) {
  for (int way = 0; way < kWays; ++way) {
    double logs = 0;
    int counted = 0;
    int none = 0;
    int worse = 0;
    std::vector<double> seconds;
    for (const Outcome& outcome : outcomes) {
      seconds.push_back(outcome.seconds[way]);
      if (outcome.goodput[0] <= 0 && outcome.goodput[way] <= 0) continue;
      if (outcome.goodput[0] <= 0 || outcome.goodput[way] <= 0) {
        none += outcome.goodput[way] <= 0 ? 1 : 0;
        continue;
      }
      const double ratio = outcome.goodput[way] / outcome.goodput[0];
      worse += ratio < 0.98 ? 1 : 0;
      logs += std::log(ratio);
      ++counted;
    }
    std::ranges::sort(seconds);
    const auto at = [&](double part) {
      return seconds[static_cast<size_t>(part * static_cast<double>(seconds.size() - 1))];
    };
    std::printf(
        "%-7s goodput %.4f of all in %d worlds, more than 2 %% less in %d, none in %d; "
        "median %.3f s, p90 %.3f s, most %.3f s\n",
        kNames[way], std::exp(logs / std::max(1, counted)), counted, worse, none, at(0.5), at(0.9),
        at(1));
  }
}

}  // namespace
}  // namespace escan

int main(int argc, char** argv) {
  CLI::App app("What the parts of a search for a plan bring");
  int count = 500;
  int threads = 1;
  unsigned seed = 1;
  std::vector<std::string> measured;
  app.add_option("--worlds", count, "Random ones")->capture_default_str();
  app.add_option("--seed", seed, "Of the random ones")->capture_default_str();
  app.add_option("--threads", threads, "Searches at a time")->capture_default_str();
  app.add_option("--measured", measured, "CONFIG,PROFILE,ROWS of a profiled cascade");
  CLI11_PARSE(app, argc, argv);
  std::vector<escan::World> worlds;
  for (const std::string& text : measured) {
    const std::vector<std::string> parts = CLI::detail::split(text, ',');
    if (parts.size() != 3) {
      std::fprintf(stderr, "--measured %s: expected CONFIG,PROFILE,ROWS\n", text.c_str());
      return 1;
    }
    escan::AddMeasured(parts[0], parts[1], std::stoi(parts[2]), &worlds);
  }
  escan::RandomWorlds random(seed);
  for (int i = 0; i < count; ++i) worlds.push_back(random.Next(i));
  escan::PrintMeans(escan::TryAll(worlds, threads));
  return 0;
}
