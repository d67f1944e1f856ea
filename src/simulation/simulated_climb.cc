#include "simulation/simulated_climb.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "allocation/capacity.h"
#include "allocation/memory.h"
#include "allocation/plan_load.h"
#include "allocation/search_grid.h"
#include "simulation/plan_variants.h"

namespace escan {
namespace {

constexpr size_t kMostTried = 192;    // variants, of all plans of one climb
constexpr double kModelError = 1.25;  // by which the model's capacity may be too low
constexpr int kLimits = 4;            // about so many different batch limits

// Numbers of equal workers, of which those in between are variants.
constexpr int kCounts[] = {1, 2, 3, 4, 6, 8, 12};

}  // namespace

bool IsBetter(Goal goal, const Workload& workload, const SimulatedFigures& a,
              const SimulatedFigures& b, double gain) {
  if (goal == Goal::kGoodput) return a.goodput > b.goodput * (1 + gain);
  const bool holds = Holds(a, workload);
  if (holds != Holds(b, workload)) return holds;
  return a.p99 < b.p99 * (1 - gain);
}

absl::StatusOr<std::optional<SimulatedPlan>> SimulatedClimb::BestSimple(
    const SimulatedFigures& least) const {
  Workload of_device = query_.workload;
  if (of_device.rate) *of_device.rate /= query_.devices;
  const SearchGrid grid(costs_, of_device, query_.limits);
  std::vector<Plan> plans;
  AddReplicas(grid, &plans);
  if (grid.stages() > 1) {
    std::vector<Plan> passes = plans;
    for (Plan& plan : passes) plan.options.regroup = false;
    plans.insert(plans.end(), passes.begin(), passes.end());
    AddPipelines(grid, &plans);  // of one stage it would be a replica
  }
  std::optional<SimulatedPlan> best;
  for (const Plan& plan : plans) {
    auto better = Try(plan, kGoodputResolution, best ? best->figures : least);
    if (!better.ok()) return better.status();
    if (better->has_value()) best = *std::move(better);
  }
  return best;
}

void SimulatedClimb::AddReplicas(const SearchGrid& grid, std::vector<Plan>* plans) const {
  int buckets = 0;
  for (int stage = 0; stage < grid.stages(); ++stage) {
    buckets = std::max(buckets, grid.buckets(stage));
  }
  Candidate candidate{.class_count = 1};
  Candidate::Class& workers = candidate.classes.front();
  workers.last = grid.stages() - 1;
  for (int below = 0; below < buckets; below += (buckets + kLimits - 1) / kLimits) {
    for (int stage = 0; stage < grid.stages(); ++stage) {
      candidate.bucket[static_cast<size_t>(stage)] = std::max(0, grid.buckets(stage) - 1 - below);
    }
    for (const int count : kCounts) {
      workers.count = count;
      AddWithEachShare(grid, candidate, plans);
    }
  }
}

void SimulatedClimb::AddPipelines(const SearchGrid& grid, std::vector<Plan>* plans) const {
  if (grid.stages() > kMostClasses) return;
  Candidate candidate{.class_count = grid.stages()};
  for (int stage = 0; stage < grid.stages(); ++stage) {
    const auto i = static_cast<size_t>(stage);
    candidate.classes[i] = {.first = stage, .last = stage};
    candidate.bucket[i] = grid.buckets(stage) - 1;
  }
  AddWithEachShare(grid, candidate, plans);
}

// With one credit; if limits and memory allow it.
void SimulatedClimb::AddWithEachShare(const SearchGrid& grid, Candidate candidate,
                                      std::vector<Plan>* plans) const {
  if (candidate.clients() > query_.limits.clients) return;
  if (!Fits(query_.profile, grid.Memory(candidate))) return;
  for (int share = 0; share < grid.shares(); ++share) {
    for (Candidate::Class& workers : candidate.classes) workers.share = share;
    Plan& plan = plans->emplace_back(grid.MakePlan(candidate, query_.devices));
    for (WorkerGroup& group : plan.workers) group.credits = 1;
  }
}

absl::StatusOr<SimulatedPlan> SimulatedClimb::Climb(SimulatedPlan best) const {
  std::vector<Plan> tried{best.plan};
  bool climbs = true;
  while (std::exchange(climbs, false)) {
    for (const PlanVariant& variant :
         VariantsOf(best.plan, costs_, query_.devices, query_.limits)) {
      if (tried.size() > kMostTried) return best;
      if (std::ranges::count(tried, variant.plan) > 0) continue;
      tried.push_back(variant.plan);
      auto better = Try(variant.plan, variant.gain, best.figures);
      if (!better.ok()) return better.status();
      if (!better->has_value()) continue;
      best = **std::move(better);
      climbs = true;
      break;
    }
  }
  return best;
}

// Nothing where it is not better by so much.
absl::StatusOr<std::optional<SimulatedPlan>> SimulatedClimb::Try(
    const Plan& plan, double gain, const SimulatedFigures& best) const {
  if (query_.IsCancelled()) return absl::CancelledError(kCancelled);
  if (!MayBeBetter(plan, best)) return std::nullopt;
  const absl::StatusOr<bool> worth = IsWorthMore(plan, gain, best);
  if (!worth.ok()) return worth.status();
  if (!*worth) return std::nullopt;
  const absl::StatusOr<SimulatedFigures> figures =
      SimulatePlan(query_.SystemWith(plan), query_.workload, goal_, best.goodput * (1 + gain));
  if (!figures.ok()) return figures.status();
  if (!IsBetter(goal_, query_.workload, *figures, best, gain)) return std::nullopt;
  return SimulatedPlan{.plan = plan, .figures = *figures};
}

// By the model's capacity.
bool SimulatedClimb::MayBeBetter(const Plan& plan, const SimulatedFigures& best) const {
  const double needed =
      goal_ == Goal::kLatency ? kHeadroom * query_.workload.rate.value_or(0) : best.goodput;
  const PlanLoad load(costs_, query_.workload, plan);
  return CapacityModel().Predict(load).rate * kModelError >= needed;
}

// By one run, at the rate or with the latency that it must have to be better.
absl::StatusOr<bool> SimulatedClimb::IsWorthMore(const Plan& plan, double gain,
                                                 const SimulatedFigures& best) const {
  Workload workload = query_.workload;
  if (goal_ == Goal::kGoodput) {
    if (!workload.objective) return true;
    return KeepsObjective(query_.SystemWith(plan), workload, best.goodput * (1 + gain));
  }
  if (std::isfinite(best.p99.count())) {
    workload.objective = std::min(workload.objective.value_or(best.p99), best.p99 * (1 - gain));
  }
  return KeepsObjective(query_.SystemWith(plan), workload, *workload.rate);
}

}  // namespace escan
