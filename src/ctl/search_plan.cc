#include "ctl/search_plan.h"

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "allocation/explain.h"
#include "allocation/plan_search.h"
#include "config/files.h"
#include "nlohmann/json.hpp"
#include "simulation/simulation.h"

namespace escan::ctl {
namespace {

using Json = nlohmann::ordered_json;

// The scheduler's own word on a plan, under the rate that the model speaks of.
absl::StatusOr<SimulationReport> Simulated(const ProfiledCascade& loaded,
                                           const PlanSearchCommand& command,
                                           const PlannedPlan& planned) {
  const SimulatedLoad load{.pace = OpenLoad{.rate = planned.prediction.rate / command.rows},
                           .rows = command.rows,
                           .samples = 200'000,
                           .warmup_samples = 20'000,
                           .exits = {{.ratios = command.exit_ratios}}};
  return Simulate({.cascade = loaded.cascade.spec, .plan = planned.plan, .profile = loaded.profile},
                  load);
}

// JSON has no infinity: what is not bounded is null.
Json Bounded(double value) { return std::isfinite(value) ? Json(value) : Json(); }

std::string ToJson(const Allocation& allocation, const std::string& plan,
                   const SimulationReport& simulated) {
  const Prediction& prediction = allocation.best.prediction;
  const Json json = {{"plan", plan},
                     {"rate_samples_per_s", prediction.rate},
                     {"capacity_samples_per_s", prediction.capacity.rate},
                     {"goodput_samples_per_s", prediction.goodput},
                     {"p99_ms", Bounded(prediction.p99.count() * 1e3)},
                     {"simulated_samples_per_s", simulated.samples_per_second},
                     {"simulated_p99_ms", Seconds(simulated.latency.p99).count() * 1e3},
                     {"memory_bytes", prediction.memory_bytes},
                     {"evaluations", allocation.evaluations},
                     {"bounds", allocation.bounds}};
  return json.dump(2) + "\n";
}

}  // namespace

absl::StatusOr<std::string> SearchPlanFromFiles(const PlanSearchCommand& command, bool json) {
  const absl::StatusOr<ProfiledCascade> loaded = LoadProfiledCascade(command.files);
  if (!loaded.ok()) return loaded.status();
  const CascadeSpec& cascade = loaded->cascade.spec;
  if (absl::Status status = CheckExitRatios(command.exit_ratios, cascade); !status.ok()) {
    return status;
  }
  Workload workload{
      .exit_ratios = command.exit_ratios, .rate = command.rate, .rows_per_request = command.rows};
  workload.exit_ratios.push_back(1);
  const std::optional<Duration> objective =
      command.objective.has_value() ? command.objective : cascade.latency_objective;
  if (objective.has_value()) workload.objective = *objective;

  const absl::StatusOr<Allocation> allocation =
      SearchPlan(StepCosts(loaded->profile), workload, command.files.devices);
  if (!allocation.ok()) return allocation.status();
  const absl::StatusOr<SimulationReport> simulated = Simulated(*loaded, command, allocation->best);
  if (!simulated.ok()) return simulated.status();
  const std::string plan = ToYaml(allocation->best.plan, cascade);
  if (!command.output.empty()) {
    if (absl::Status status = ReplaceFile(command.output, plan); !status.ok()) return status;
  }
  if (json) return ToJson(*allocation, plan, *simulated);
  std::vector<std::string> names;
  for (const StageSpec& stage : cascade.stages) names.push_back(stage.name);
  return absl::StrFormat("%ssimulated at %.0f/s: %.0f/s served, p99 %.3g ms\n",
                         Explain(*allocation, workload, names), allocation->best.prediction.rate,
                         simulated->samples_per_second,
                         Seconds(simulated->latency.p99).count() * 1e3);
}

}  // namespace escan::ctl
