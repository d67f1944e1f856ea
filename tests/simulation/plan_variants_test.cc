#include "simulation/plan_variants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "allocation/worker_count.h"
#include "simulation/system_under_test.h"

namespace escan {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::Not;

class PlanVariantsTest : public testing::Test {
 protected:
  PlanVariantsTest() {
    system_.profile.thread_percents = {30, 50, 100};
    for (StageCosts& costs : system_.profile.stages) {
      costs.buckets = {1, 4, 16};
      costs.step.assign(3, {Seconds(1e-3), Seconds(4e-3), Seconds(16e-3)});
      costs.steady_step = costs.step;
      costs.device_time.assign(3, {costs.step.front()});
    }
    system_.profile.device_memory_bytes = 1000;
    system_.profile.context_bytes = 100;
    plan_ = system_.plan;
    plan_.workers = {{.count = 2, .thread_percent = 50, .stages = {0, 1}},
                     {.count = 1, .thread_percent = 30, .credits = 2, .stages = {1}}};
    plan_.stages = {{.max_batch = 4, .max_delay = std::chrono::milliseconds(1)},
                    {.max_batch = 16, .max_delay = std::chrono::milliseconds(2)}};
  }

  std::vector<Plan> Variants(int devices = 1, int clients = 12) const {
    std::vector<Plan> plans;
    for (const PlanVariant& variant :
         VariantsOf(plan_, StepCosts(system_.profile), devices, {.clients = clients})) {
      plans.push_back(variant.plan);
    }
    return plans;
  }

  // With one change.
  template <typename Change>
  Plan With(Change change) const {
    Plan plan = plan_;
    change(&plan);
    return plan;
  }

  SystemUnderTest system_{{std::chrono::milliseconds(1), std::chrono::milliseconds(1)}, 16};
  Plan plan_;
};

TEST_F(PlanVariantsTest, DifferInOneThing) {
  std::vector<Plan> expected = {With([](Plan* plan) { plan->workers[0].credits = 2; }),
                                With([](Plan* plan) { plan->workers[1].credits = 1; }),
                                With([](Plan* plan) { plan->workers[0].thread_percent = 30; }),
                                With([](Plan* plan) { plan->workers[0].thread_percent = 100; }),
                                With([](Plan* plan) { plan->workers[1].thread_percent = 50; }),
                                With([](Plan* plan) {
                                  plan->stages[0].max_batch = 1;
                                  plan->stages[0].max_delay = Duration::zero();
                                  plan->stages[1].max_batch = 4;
                                }),
                                With([](Plan* plan) {
                                  plan->stages[0].max_batch = 1;
                                  plan->stages[0].max_delay = Duration::zero();
                                }),
                                With([](Plan* plan) { plan->stages[1].max_batch = 4; }),
                                With([](Plan* plan) { plan->stages[0].max_batch = 16; }),
                                With([](Plan* plan) { plan->workers[0].count = 1; }),
                                With([](Plan* plan) { plan->workers[0].count = 3; }),
                                With([](Plan* plan) { plan->workers[1].count = 2; })};
  // The longest step takes 16 ms.
  for (const int first : {0, 1, 2, 4, 8}) {
    for (const int second : {0, 1, 2, 4, 8}) {
      const Plan plan = With([&](Plan* plan) {
        plan->stages[0].max_delay = milliseconds(first);
        plan->stages[1].max_delay = milliseconds(second);
      });
      const bool one = first == 1 || second == 2;  // as it is
      if (plan != plan_ && (one || first == second)) expected.push_back(plan);
    }
  }
  EXPECT_THAT(Variants(), testing::UnorderedElementsAreArray(expected));
}

TEST_F(PlanVariantsTest, AreTheSameOnEachDevice) {
  const size_t groups = plan_.workers.size();
  const size_t of_one = Variants().size();
  for (size_t group = 0; group < groups; ++group) {
    plan_.workers.push_back(plan_.workers[group]);
    plan_.workers.back().device = 1;
  }
  const std::vector<Plan> variants = Variants(2);
  EXPECT_EQ(variants.size(), of_one);
  for (const Plan& plan : variants) {
    for (size_t group = 0; group < groups; ++group) {
      WorkerGroup other = plan.workers[groups + group];
      other.device = 0;
      EXPECT_EQ(plan.workers[group], other);
    }
  }
}

TEST_F(PlanVariantsTest, KeepToTheLimits) {
  const size_t all = Variants().size();
  EXPECT_THAT(Variants(1, 3), Not(Contains(With([](Plan* plan) { plan->workers[0].count = 3; }))));
  EXPECT_EQ(Variants(1, 3).size(), all - 2);
  system_.profile.device_memory_bytes = 500;  // 450 usable: three contexts, and one to replace
  EXPECT_EQ(Variants().size(), all - 2);
}

TEST_F(PlanVariantsTest, DoWithoutRegroupingWhereAllWorkersHostAllStages) {
  const auto regrouped = [&] {
    std::vector<bool> of_variants;
    for (const Plan& plan : Variants()) of_variants.push_back(plan.options.regroup);
    return of_variants;
  };
  EXPECT_THAT(regrouped(), Not(Contains(false))) << "one would have nothing to do";
  plan_.workers[1].stages = {0, 1};
  EXPECT_THAT(regrouped(), Contains(false).Times(1));
  plan_.stages[1].speculate = true;
  EXPECT_THAT(regrouped(), Not(Contains(false)));
  plan_.stages[1].speculate = false;
  plan_.options.regroup = false;
  EXPECT_THAT(regrouped(), Contains(true).Times(1));
}

TEST_F(PlanVariantsTest, OfSingleRowsHaveNoDelay) {
  plan_.stages = {{.max_batch = 1}, {.max_batch = 1}};
  for (const Plan& plan : Variants()) {
    for (const StagePolicy& policy : plan.stages) {
      EXPECT_GE(policy.max_batch, 1);
      if (policy.max_batch == 1) {
        EXPECT_EQ(policy.max_delay, Duration::zero());
      }
    }
  }
}

TEST_F(PlanVariantsTest, AskMoreOfAnotherWorker) {
  for (const PlanVariant& variant : VariantsOf(plan_, StepCosts(system_.profile), 1, {})) {
    const int workers = WorkerCount(variant.plan);
    EXPECT_EQ(variant.gain, workers > 3 ? 0.05 : workers < 3 ? 0 : 0.02);
  }
}

}  // namespace
}  // namespace escan
