#include "simulation/choose_plan.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "simulation/simulation.h"

namespace escan {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr double kMostLost = 0.01;  // of the requests: the p99 would be one of these
constexpr double kEqual = 1e-3;     // figures that differ by less are equal
constexpr size_t kSimpler = 2;      // candidates with each smaller number of classes
constexpr int kHalvings = 5;        // of the rates between which the objective is missed

// In requests: enough to see the one in a hundred.
constexpr int64_t kMeasured = 10'000;
constexpr int64_t kWarmUp = 2'000;
constexpr int64_t kMostSamples = 200'000;  // of large requests fewer must do
// A queue that grows by 4 % of the time is as long as the objective after so many objectives.
constexpr double kObjectives = 25;

// Simulates plans under one workload.
class Judge {
 public:
  Judge(const Profile& profile, const CascadeSpec& cascade, const Workload& workload)
      : profile_(profile), cascade_(cascade), workload_(workload), objective_(kInfinite) {
    if (workload.objective) objective_ = *workload.objective;
    load_.rows = workload.rows_per_request;
    load_.samples = Samples(kMeasured);
    load_.warmup_samples = Samples(kWarmUp);
    std::vector<double> ratios = workload.exit_ratios;
    ratios.pop_back();
    load_.exits = {{.ratios = std::move(ratios)}};
  }

  absl::StatusOr<SimulatedFigures> AtRate(const Plan& plan, double rate) const {
    SimulatedLoad load = load_;
    load.pace = OpenLoad{.rate = std::max(rate / load.rows, OpenLoad::kMinRate)};
    const double samples = rate * kObjectives * objective_.count();
    const auto most = static_cast<double>(std::max(kMostSamples, load.samples));
    if (workload_.objective) {
      load.samples = std::max(load.samples, static_cast<int64_t>(std::min(samples, most)));
    }
    return Run(plan, load);
  }

  // With as many requests under way as fill all batches.
  absl::StatusOr<SimulatedFigures> Saturated(const Plan& plan) const {
    int rows = 0;
    for (const WorkerGroup& group : plan.workers) {
      int largest = 0;
      for (const int stage : group.stages) {
        largest = std::max(largest, plan.stages[static_cast<size_t>(stage)].max_batch);
      }
      rows += 2 * group.count * group.credits * largest;
    }
    SimulatedLoad load = load_;
    const int concurrency = std::min(rows, cascade_.slots) / load.rows;
    load.pace = ClosedLoad{.concurrency = std::max(concurrency, 1)};
    load.samples = std::max<int64_t>(load.samples, int64_t{8} * rows);
    load.warmup_samples = std::max<int64_t>(load.warmup_samples, rows);
    return Run(plan, load);
  }

  // At the highest rate that keeps the objective, if that is higher than `least`; else the rate is
  // 0, and the p99 that of the least rate that was tried.
  absl::StatusOr<SimulatedFigures> AtGoodput(const PlannedPlan& planned, double least) const {
    SimulatedFigures best;
    double kept = least;
    double missed = std::max(planned.prediction.capacity.rate, least) * 1.1;
    double rate = least > 0 ? least * (1 + kEqual) : planned.prediction.goodput;
    for (int i = 0; i <= kHalvings; ++i) {
      absl::StatusOr<SimulatedFigures> found = AtRate(planned.plan, rate);
      if (!found.ok()) return found;
      if (found->keeps_objective) {
        best = *found;
        best.rate = kept = rate;
      } else if (least > 0 && kept == least) {
        return SimulatedFigures{.p99 = found->p99};
      } else {
        if (best.rate == 0) best.p99 = found->p99;
        missed = rate;
      }
      rate = (kept + missed) / 2;
    }
    return best;
  }

 private:
  int64_t Samples(int64_t requests) const {
    const int64_t rows = workload_.rows_per_request;
    return std::max(std::min(requests * rows, kMostSamples * requests / kMeasured), rows);
  }

  absl::StatusOr<SimulatedFigures> Run(const Plan& plan, const SimulatedLoad& load) const {
    const absl::StatusOr<SimulationReport> report =
        Simulate({.cascade = cascade_, .plan = plan, .profile = profile_}, load);
    if (!report.ok()) return report.status();
    const RequestFigures& requests = report->requests;
    const auto lost = static_cast<double>(requests.sent - requests.served);
    SimulatedFigures figures{.rate = report->samples_per_second, .p99 = report->latency.p99};
    if (lost > kMostLost * static_cast<double>(requests.sent)) figures.p99 = Seconds(kInfinite);
    figures.keeps_objective = figures.p99 < Seconds(kInfinite) && figures.p99 <= objective_;
    return figures;
  }

  const Profile& profile_;
  const CascadeSpec& cascade_;
  const Workload& workload_;
  Seconds objective_;
  SimulatedLoad load_;
};

absl::StatusOr<std::vector<SimulatedFigures>> Figures(const Judge& judge, const Workload& workload,
                                                      Goal goal,
                                                      const std::vector<PlannedPlan>& plans) {
  std::vector<SimulatedFigures> figures;
  double best = 0;
  for (const PlannedPlan& planned : plans) {
    absl::StatusOr<SimulatedFigures> found = goal == Goal::kLatency
                                                 ? judge.AtRate(planned.plan, *workload.rate)
                                             : workload.objective ? judge.AtGoodput(planned, best)
                                                                  : judge.Saturated(planned.plan);
    if (!found.ok()) return found.status();
    best = std::max(best, found->rate);
    figures.push_back(*found);
  }
  return figures;
}

bool Better(Goal goal, const SimulatedFigures& a, const SimulatedFigures& b) {
  if (goal == Goal::kGoodput) return a.rate > b.rate * (1 + kEqual);
  if (a.keeps_objective != b.keeps_objective) return a.keeps_objective;
  return a.p99 < b.p99 * (1 - kEqual);
}

// The best plans of the search, and the best of those with fewer classes: how the scheduler divides
// work between different classes the model only estimates, so a simpler plan may serve more.
std::vector<PlannedPlan> Candidates(const StepCosts& costs, const Workload& workload, int devices,
                                    SearchLimits limits, Allocation* found) {
  std::vector<PlannedPlan> plans;
  const auto add = [&](PlannedPlan& planned) {
    const bool known = std::ranges::any_of(
        plans, [&](const PlannedPlan& other) { return other.plan == planned.plan; });
    if (!known) plans.push_back(std::move(planned));
  };
  add(found->best);
  std::ranges::for_each(found->runners_up, add);
  while (--limits.classes > 0) {
    absl::StatusOr<Allocation> simpler = SearchPlan(costs, workload, devices, limits);
    if (!simpler.ok()) break;
    found->evaluations += simpler->evaluations;
    found->bounds += simpler->bounds;
    if (simpler->goal != found->goal) continue;
    add(simpler->best);
    simpler->runners_up.resize(std::min(simpler->runners_up.size(), kSimpler - 1));
    std::ranges::for_each(simpler->runners_up, add);
  }
  return plans;
}

}  // namespace

absl::StatusOr<ChosenPlan> ChoosePlan(const Profile& profile, const CascadeSpec& cascade,
                                      const Workload& workload, int devices,
                                      const SearchLimits& limits) {
  const StepCosts costs(profile);
  absl::StatusOr<Allocation> found = SearchPlan(costs, workload, devices, limits);
  if (!found.ok()) return found.status();
  std::vector<PlannedPlan> plans = Candidates(costs, workload, devices, limits, &*found);
  const absl::StatusOr<std::vector<SimulatedFigures>> figures =
      Figures(Judge(profile, cascade, workload), workload, found->goal, plans);
  if (!figures.ok()) return figures.status();

  std::vector<size_t> order;
  for (size_t i = 0; i < plans.size(); ++i) {
    const auto place = std::ranges::find_if(
        order, [&](size_t other) { return Better(found->goal, (*figures)[i], (*figures)[other]); });
    order.insert(place, i);
  }
  ChosenPlan chosen{.allocation = *std::move(found)};
  chosen.allocation.runners_up.clear();
  for (const size_t i : order) {
    chosen.figures.push_back((*figures)[i]);
    if (i == order.front()) {
      chosen.allocation.best = std::move(plans[i]);
    } else {
      chosen.allocation.runners_up.push_back(std::move(plans[i]));
    }
  }
  return chosen;
}

}  // namespace escan
