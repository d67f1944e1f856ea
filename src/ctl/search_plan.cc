#include "ctl/search_plan.h"

#include <cmath>
#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "allocation/explain.h"
#include "config/files.h"
#include "nlohmann/json.hpp"
#include "simulation/plan_search.h"
#include "simulation/simulation.h"

namespace escan::ctl {
namespace {

using Json = nlohmann::ordered_json;

// JSON has no infinity: what is not bounded is null.
Json Bounded(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json Milliseconds(Seconds time) { return Bounded(time.count() * 1e3); }

Json PlansToJson(const ChosenPlan& chosen, const CascadeSpec& cascade) {
  Json plans = Json::array();
  for (size_t i = 0; i < chosen.figures.size(); ++i) {
    const PlannedPlan& planned = chosen.planned(i);
    plans.push_back({{"plan", ToYaml(planned.plan, cascade)},
                     {"goodput_samples_per_s", planned.prediction.goodput},
                     {"p99_ms", Milliseconds(planned.prediction.p99)},
                     {"simulated_capacity_samples_per_s", chosen.figures[i].capacity},
                     {"simulated_goodput_samples_per_s", chosen.figures[i].goodput},
                     {"simulated_p99_ms", Milliseconds(chosen.figures[i].p99)}});
  }
  return plans;
}

std::string ToJson(const ChosenPlan& chosen, const std::string& plan, const CascadeSpec& cascade) {
  const Prediction& prediction = chosen.allocation.best.prediction;
  const Json json = {{"plan", plan},
                     {"rate_samples_per_s", prediction.rate},
                     {"capacity_samples_per_s", prediction.capacity.rate},
                     {"goodput_samples_per_s", prediction.goodput},
                     {"p99_ms", Milliseconds(prediction.p99)},
                     {"simulated_capacity_samples_per_s", chosen.figures.front().capacity},
                     {"simulated_goodput_samples_per_s", chosen.figures.front().goodput},
                     {"simulated_p99_ms", Milliseconds(chosen.figures.front().p99)},
                     {"memory_bytes", prediction.memory_bytes},
                     {"evaluations", chosen.allocation.evaluations},
                     {"plans", PlansToJson(chosen, cascade)}};
  return json.dump(2) + "\n";
}

// A line for each plan, the best one first.
std::string SimulatedPlans(const ChosenPlan& chosen) {
  std::string text = "simulated, in this order\n";
  for (size_t i = 0; i < chosen.figures.size(); ++i) {
    const Prediction& prediction = chosen.planned(i).prediction;
    const SimulatedFigures& figures = chosen.figures[i];
    absl::StrAppendFormat(
        &text, "  capacity %.0f/s, goodput %s%s; the model's %.0f/s, %.0f/s, p99 %.3g ms\n",
        figures.capacity,
        figures.goodput > 0 ? absl::StrFormat("%.0f/s", figures.goodput) : "no better",
        std::isfinite(figures.p99.count())
            ? absl::StrFormat(", p99 %.3g ms", figures.p99.count() * 1e3)
            : "",
        prediction.capacity.rate, prediction.goodput, prediction.p99.count() * 1e3);
  }
  return text;
}

}  // namespace

absl::StatusOr<std::string> RunPlanSearch(const PlanSearchCommand& command, bool json) {
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

  const absl::StatusOr<ChosenPlan> chosen = SearchPlan({.profile = loaded->profile,
                                                        .cascade = cascade,
                                                        .workload = workload,
                                                        .devices = command.files.devices});
  if (!chosen.ok()) return chosen.status();
  const std::string plan = ToYaml(chosen->allocation.best.plan, cascade);
  if (!command.output.empty()) {
    if (absl::Status status = ReplaceFile(command.output, plan); !status.ok()) return status;
  }
  if (json) return ToJson(*chosen, plan, cascade);
  std::vector<std::string> names;
  for (const StageSpec& stage : cascade.stages) names.push_back(stage.name);
  return absl::StrCat(Explain(chosen->allocation, workload, names), SimulatedPlans(*chosen));
}

}  // namespace escan::ctl
