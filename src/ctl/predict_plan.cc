#include "ctl/predict_plan.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "allocation/prediction.h"
#include "nlohmann/json.hpp"
#include "simulation/simulated_figures.h"
#include "simulation/simulation.h"

namespace escan::ctl {
namespace {

using Json = nlohmann::ordered_json;

// JSON has no infinity.
Json Bounded(double rate) { return std::isfinite(rate) ? Json(rate) : Json(); }

std::string Line(const std::string& plan, const Capacity& capacity, double simulated, bool json) {
  if (!json) {
    return absl::StrFormat(
        "%s: %.0f/s (workers %.0f/s, device %.0f/s, bus %.0f/s), simulated %.0f/s\n", plan,
        capacity.rate, capacity.worker_bound, capacity.device_bound, capacity.bus_bound, simulated);
  }
  const Json line = {{"plan", plan},
                     {"rate", capacity.rate},
                     {"simulated_rate", simulated},
                     {"worker_bound", Bounded(capacity.worker_bound)},
                     {"device_bound", Bounded(capacity.device_bound)},
                     {"bus_bound", Bounded(capacity.bus_bound)}};
  return line.dump() + "\n";
}

void LimitBatches(int limit, const Profile& profile, Plan* plan) {
  for (size_t i = 0; i < plan->stages.size(); ++i) {
    plan->stages[i].max_batch = std::min(limit, profile.stages[i].buckets.back());
  }
}

}  // namespace

absl::StatusOr<std::string> PredictPlansFromFiles(const PlanPredictCommand& command, bool json) {
  const absl::StatusOr<ProfiledCascade> loaded = LoadProfiledCascade(command.files);
  if (!loaded.ok()) return loaded.status();
  if (absl::Status status = CheckExitRatios(command.exit_ratios, loaded->cascade.spec);
      !status.ok()) {
    return status;
  }
  Workload workload{.exit_ratios = command.exit_ratios, .rows_per_request = command.rows};
  workload.exit_ratios.push_back(1);
  std::string text;
  for (const std::string& file : command.plans) {
    absl::StatusOr<Plan> plan = LoadPlanFor(*loaded, file);
    if (!plan.ok()) return plan.status();
    if (command.limit) LimitBatches(*command.limit, loaded->profile, &*plan);
    const StepCosts costs(loaded->profile);
    const absl::StatusOr<SimulatedFigures> simulated =
        SimulatePlan({.cascade = loaded->cascade.spec, .plan = *plan, .profile = loaded->profile},
                     workload, Goal::kGoodput);
    if (!simulated.ok()) return simulated.status();
    absl::StrAppend(
        &text, Line(file, Predict(costs, workload, *plan).capacity, simulated->capacity, json));
  }
  return text;
}

}  // namespace escan::ctl
