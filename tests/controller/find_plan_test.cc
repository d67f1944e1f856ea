#include "controller/find_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "allocation/flat_profile.h"
#include "allocation/model_search.h"
#include "allocation/prediction.h"
#include "controller/plan_controller.h"

namespace escan {
namespace {

using testing::HasSubstr;

// Two stages whose steps nearly fill the device alone.
Profile CrowdedProfile() {
  Profile profile = FlatProfile({{.step = Seconds(1e-3), .per_row = Seconds(1e-4), .device = 0.9},
                                 {.step = Seconds(4e-3), .per_row = Seconds(5e-4), .device = 0.9}},
                                {1, 8});
  profile.knee = 4;
  for (StageCosts& costs : profile.stages) costs.steady_step = costs.step;
  return profile;
}

CascadeSpec TwoStages() {
  CascadeSpec cascade;
  cascade.max_rows = 64;
  cascade.slots = 4096;
  cascade.deadline = std::chrono::hours(1);
  for (const char* name : {"small", "large"}) {
    StageSpec& stage = cascade.stages.emplace_back();
    stage.name = name;
    stage.buckets = {1, 8};
  }
  return cascade;
}

class FindPlanTest : public testing::Test {
 protected:
  FoundPlan Find(bool saturated = false) const {
    const absl::StatusOr<FoundPlan> found = FindPlan({.profile = profile_,
                                                      .cascade = cascade_,
                                                      .workload = workload_,
                                                      .limits = {.clients = 4},
                                                      .in_effect = &in_effect_},
                                                     saturated);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? *found : FoundPlan{.in_effect = SimulatedFigures()};
  }

  PlanController::Verdict Judge(const FoundPlan& found) const {
    const PlanController controller({.exit_ratios = {0.5, 1}}, {"small", "large"});
    return controller.Judge(found.workload, {in_effect_, *found.in_effect},
                            {found.plan, found.figures});
  }

  Prediction Predicted(const Plan& plan) const {
    return Predict(StepCosts(profile_), workload_, plan);
  }

  const Profile profile_ = CrowdedProfile();
  CascadeSpec cascade_ = TwoStages();
  // What arrives at the second stage is spread over three workers, in small batches. The model
  // supposes full ones.
  Plan in_effect_ = PlanOf({{.count = 2, .stages = {0, 1}}, {.count = 1, .stages = {1}}}, {8, 8});
  Workload workload_{.exit_ratios = {0.8, 1}};
};

TEST_F(FindPlanTest, SeesThatThePlanInEffectServesLessThanTheModelBelieves) {
  const FoundPlan found = Find();
  EXPECT_LT(Predicted(found.plan).goodput, 1.05 * Predicted(in_effect_).goodput)
      << "by the model it is not worth a change";
  EXPECT_GT(found.figures.goodput, 1.1 * found.in_effect->goodput);
  EXPECT_TRUE(Judge(found).change);
}

TEST_F(FindPlanTest, SeesThatThePlanInEffectDoesNotHoldTheRate) {
  workload_.rate = 1900;
  const FoundPlan found = Find();
  EXPECT_GT(Predicted(in_effect_).capacity.rate, 1.2 * 1900);
  EXPECT_FALSE(Holds(*found.in_effect, workload_));
  EXPECT_TRUE(Holds(found.figures, workload_));
  const PlanController::Verdict verdict = Judge(found);
  EXPECT_TRUE(verdict.change);
  EXPECT_THAT(verdict.reason, HasSubstr("less than 1.2 times 1900/s"));
}

TEST_F(FindPlanTest, FindsThePlanInEffectAgain) {
  for (const std::optional<double> rate : {std::optional(1000.0), std::optional<double>()}) {
    workload_.rate = rate;
    in_effect_ = Find().plan;
    const FoundPlan found = Find();
    EXPECT_EQ(found.plan, in_effect_);
    EXPECT_EQ(found.in_effect->p99, found.figures.p99);
    EXPECT_EQ(found.in_effect->goodput, found.figures.goodput);
    EXPECT_FALSE(Judge(found).change);
  }
}

TEST_F(FindPlanTest, LeavesAPlanThatIsHardlyWorse) {
  const auto stays = [&] {
    in_effect_ = Find().plan;
    in_effect_.stages[1].max_delay += std::chrono::microseconds(1);
    const FoundPlan found = Find();
    EXPECT_NE(found.plan, in_effect_);
    EXPECT_FALSE(Judge(found).change) << Judge(found).reason;
  };
  stays();
  workload_.objective = Seconds(0.05);
  stays();
  workload_.rate = 1000;
  stays();
}

TEST_F(FindPlanTest, SimulatesPlansThatTheModelDoesNotKnow) {
  in_effect_.stages[1].speculate = true;
  in_effect_.options.regroup = false;
  workload_.rate = 500;
  const FoundPlan found = Find();
  EXPECT_GT(found.in_effect->capacity, 100);
  EXPECT_LT(found.in_effect->capacity, found.figures.capacity);
}

TEST_F(FindPlanTest, ReplacesAPlanThatServesNothing) {
  in_effect_ = PlanOf({{.count = 1, .stages = {1}}}, {8, 8});
  cascade_.deadline = std::chrono::seconds(1);
  for (const std::optional<double> rate : {std::optional(1000.0), std::optional<double>()}) {
    workload_.rate = rate;
    const FoundPlan found = Find();
    EXPECT_EQ(found.in_effect->goodput, 0);
    EXPECT_TRUE(Judge(found).change);
  }
}

TEST_F(FindPlanTest, LooksForTheHighestRateWhereOnlyTheModelHoldsTheRate) {
  workload_.exit_ratios = {0.9, 1};
  const double highest = Find().figures.goodput;
  workload_.rate = 2840;
  const absl::StatusOr<Allocation> by_model =
      SearchByModel(StepCosts(profile_), workload_, 1, {.clients = 4});
  ASSERT_TRUE(by_model.ok());
  EXPECT_EQ(by_model->goal, Goal::kLatency);
  const FoundPlan found = Find();
  EXPECT_FALSE(Holds(found.figures, workload_));
  EXPECT_EQ(found.figures.goodput, highest);
  EXPECT_EQ(found.workload.rate, 2840);
  const PlanController::Verdict verdict = Judge(found);
  EXPECT_TRUE(verdict.change);
  EXPECT_THAT(verdict.reason, HasSubstr("goodput"));
}

TEST_F(FindPlanTest, SaturatedThoughThePlanHoldsTheRateItLooksForTheHighest) {
  workload_.rate = 1000;
  EXPECT_EQ(Find().workload.rate, 1000);
  EXPECT_FALSE(Find(/*saturated=*/true).workload.rate.has_value());
  workload_.rate = 1900;
  EXPECT_EQ(Find(/*saturated=*/true).workload.rate, 1900);
}

TEST_F(FindPlanTest, LeavesOutAnObjectiveThatNoPlanKeeps) {
  workload_.rate = 1000;
  workload_.objective = Seconds(1e-6);
  const FoundPlan found = Find();
  EXPECT_FALSE(found.workload.objective.has_value());
  EXPECT_TRUE(Holds(found.figures, found.workload));
  EXPECT_TRUE(Holds(*found.in_effect, found.workload)) << "simulated without it, too";
}

TEST_F(FindPlanTest, LeavesOutAnObjectiveThatOnlyTheModelKeeps) {
  workload_.rows_per_request = 16;
  workload_.objective = Seconds(9e-3);
  ASSERT_TRUE(SearchByModel(StepCosts(profile_), workload_, 1, {.clients = 4}).ok());
  const FoundPlan found = Find();
  EXPECT_FALSE(found.workload.objective.has_value());
  EXPECT_GT(found.figures.goodput, 0);
}

}  // namespace
}  // namespace escan
