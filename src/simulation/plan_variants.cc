#include "simulation/plan_variants.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "allocation/memory.h"
#include "allocation/worker_count.h"
#include "simulation/simulated_figures.h"

namespace escan {
namespace {

constexpr double kWorthAWorker = 0.05;

// Collects plans that differ from `plan_` and are allowed, each once.
class Variants {
 public:
  Variants(const Plan& plan, const StepCosts& costs, int devices, const SearchLimits& limits)
      : plan_(plan),
        costs_(costs),
        profile_(costs.profile()),
        limits_(limits),
        groups_(plan.workers.size() / static_cast<size_t>(devices)) {}

  std::vector<PlanVariant> All() {
    for (size_t group = 0; group < groups_; ++group) {
      AddGroups(group, kGoodputResolution,
                [](WorkerGroup* g) { g->credits = g->credits > 1 ? 1 : 2; });
    }
    AddRegrouping();
    for (const auto next : {&Smaller, &Larger}) {
      AddLimits(0, plan_.stages.size(), next);
      for (size_t stage = 0; stage < plan_.stages.size(); ++stage) {
        AddLimits(stage, stage + 1, next);
      }
      for (size_t group = 0; group < groups_; ++group) {
        AddGroups(group, kGoodputResolution, [&](WorkerGroup* g) {
          g->thread_percent = next(profile_.thread_percents, g->thread_percent);
        });
      }
    }
    for (const int part : {0, 16, 8, 4, 2}) {
      const Duration delay = part == 0 ? Duration::zero() : LongestStep() / part;
      AddDelays(0, plan_.stages.size(), delay);
      for (size_t stage = 0; stage < plan_.stages.size(); ++stage) {
        AddDelays(stage, stage + 1, delay);
      }
    }
    for (size_t group = 0; group < groups_; ++group) {
      AddGroups(group, 0, [](WorkerGroup* g) { g->count -= 1; });
      AddGroups(group, kWorthAWorker, [](WorkerGroup* g) { g->count += 1; });
    }
    return std::move(variants_);
  }

 private:
  // With a change to the group and to its equals on other devices.
  template <typename Change>
  void AddGroups(size_t group, double gain, Change change) {
    Plan plan = plan_;
    for (size_t place = group; place < plan.workers.size(); place += groups_) {
      change(&plan.workers[place]);
    }
    const bool empty = plan.workers[group].count < 1;
    const bool larger = plan.workers[group].count > plan_.workers[group].count;
    if (!empty && (!larger || HasRoom(plan, plan.workers[group].device))) {
      Add(std::move(plan), gain);
    }
  }

  bool HasRoom(const Plan& plan, int device) const {
    return WorkerCount(plan, device) <= limits_.clients &&
           Fits(profile_, DeviceMemory(profile_, plan, device));
  }

  // Of ascending values the one beside `value`, if there is one.
  static int Smaller(const std::vector<int>& values, int value) {
    const auto at = std::ranges::lower_bound(values, value);
    return at == values.begin() ? value : *(at - 1);
  }
  static int Larger(const std::vector<int>& values, int value) {
    const auto above = std::ranges::upper_bound(values, value);
    return above == values.end() ? value : *above;
  }

  // Without regrouping workers that do not host all stages would have nothing to do, and none
  // speculates.
  void AddRegrouping() {
    if (plan_.stages.size() == 1) return;
    Plan plan = plan_;
    plan.options.regroup = !plan.options.regroup;
    const auto hosts_all = [&](const WorkerGroup& group) {
      return group.stages.size() == plan.stages.size();
    };
    if (!plan.options.regroup && (!std::ranges::all_of(plan.workers, hosts_all) ||
                                  std::ranges::any_of(plan.stages, &StagePolicy::speculate))) {
      return;
    }
    Add(std::move(plan), kGoodputResolution);
  }

  // Of the stages from `begin` to before `end`.
  void AddLimits(size_t begin, size_t end, int (*next)(const std::vector<int>&, int)) {
    Plan plan = plan_;
    for (size_t stage = begin; stage < end; ++stage) {
      StagePolicy& policy = plan.stages[stage];
      policy.max_batch = next(profile_.stages[stage].buckets, policy.max_batch);
      if (policy.max_batch == 1) policy.max_delay = Duration::zero();
    }
    Add(std::move(plan), kGoodputResolution);
  }

  void AddDelays(size_t begin, size_t end, Duration delay) {
    Plan plan = plan_;
    for (size_t stage = begin; stage < end; ++stage) {
      StagePolicy& policy = plan.stages[stage];
      if (policy.max_batch > 1) policy.max_delay = delay;
    }
    Add(std::move(plan), kGoodputResolution);
  }

  // Of the whole device, in batches up to the limits.
  Duration LongestStep() const {
    Seconds longest{};
    for (size_t stage = 0; stage < plan_.stages.size(); ++stage) {
      longest = std::max(
          longest, costs_.StepTime(static_cast<int>(stage), plan_.stages[stage].max_batch, 100));
    }
    return std::chrono::duration_cast<Duration>(longest);
  }

  void Add(Plan plan, double gain) {
    const bool known = std::ranges::any_of(
        variants_, [&](const PlanVariant& variant) { return variant.plan == plan; });
    if (!known && plan != plan_) variants_.push_back({.plan = std::move(plan), .gain = gain});
  }

  const Plan& plan_;
  const StepCosts& costs_;
  const Profile& profile_;
  const SearchLimits& limits_;
  const size_t groups_;  // on each device
  std::vector<PlanVariant> variants_;
};

}  // namespace

std::vector<PlanVariant> VariantsOf(const Plan& plan, const StepCosts& costs, int devices,
                                    const SearchLimits& limits) {
  return Variants(plan, costs, devices, limits).All();
}

}  // namespace escan
