#include "controller/plan_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "scheduling/exit_estimator.h"

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr TimePoint kStart{seconds(5000)};

Workload Prior() { return {.exit_ratios = {0.5, 0.5}}; }

ExitEstimate Exits(double ratio, uint64_t reached) {
  return {.reached = reached,
          .exited = static_cast<uint64_t>(ratio * static_cast<double>(reached))};
}

LoadEstimate Load(double ratio, double rate, uint64_t reached = 10000) {
  return {.exits = {Exits(ratio, reached), Exits(0, reached / 2)},
          .arrivals = {.samples_per_second = rate,
                       .interval = {.low = 0.97 * rate, .high = 1.03 * rate},
                       .requests = 1000,
                       .rows_per_request = 1}};
}

LoadEstimate Overload(double ratio, double rate) {
  LoadEstimate load = Load(ratio, rate);
  load.saturated = true;
  return load;
}

class PlanControllerTest : public testing::Test {
 protected:
  // A second later.
  std::optional<PlanController::Request> Look(const LoadEstimate& load) {
    now_ += seconds(1);
    return controller_.Look(load, now_);
  }

  // The first request within so many seconds of the same load.
  std::optional<PlanController::Request> LookFor(const LoadEstimate& load, int looks) {
    for (int i = 0; i < looks; ++i) {
      if (auto request = Look(load)) return request;
    }
    return std::nullopt;
  }

  // Gets over what is asked for at first.
  void Settle(const LoadEstimate& load) { ASSERT_TRUE(LookFor(load, 2).has_value()); }

  TimePoint now_ = kStart;
  PlanController controller_{Prior(), {"small", "large"}};
};

TEST_F(PlanControllerTest, AsksOnceThereAreEnoughSamples) {
  EXPECT_FALSE(LookFor(Load(0.7, 1000, 99), 20).has_value());
  const auto request = LookFor(Load(0.7, 1000, 100), 2);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->trigger, SearchTrigger::kFirstEstimates);
  EXPECT_NEAR(request->workload.exit_ratios[0], 0.7, 1e-9);
  EXPECT_EQ(request->workload.rate, 1000);
  EXPECT_EQ(request->samples[0], 100u);
}

TEST_F(PlanControllerTest, AssumesWhatItDidOfAStageThatFewSamplesReach) {
  LoadEstimate load = Load(0.999, 1000);
  PlanController controller({.exit_ratios = {0.5, 0.4, 0.5}}, {"a", "b", "c"});
  load.exits = {Exits(0.999, 10000), Exits(1, 10), Exits(0, 0)};
  controller.Look(load, kStart);
  const auto request = controller.Look(load, kStart + seconds(1));
  ASSERT_TRUE(request.has_value());
  EXPECT_NEAR(request->workload.exit_ratios[0], 0.999, 1e-9);
  EXPECT_EQ(request->workload.exit_ratios[1], 0.4);
}

TEST_F(PlanControllerTest, AsksForNothingWhileNothingMoves) {
  Settle(Load(0.7, 1000));
  EXPECT_FALSE(LookFor(Load(0.7, 1000), 600).has_value());
}

TEST_F(PlanControllerTest, AsksWhenAnExitRatioMoved) {
  Settle(Load(0.7, 1000));
  EXPECT_FALSE(LookFor(Load(0.685, 1000, 1000000), 20).has_value()) << "within the tolerance";
  EXPECT_FALSE(LookFor(Load(0.65, 1000, 200), 20).has_value()) << "within the interval";
  const auto request = LookFor(Load(0.65, 1000, 100000), 2);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->trigger, SearchTrigger::kExitRatio);
  EXPECT_EQ(request->cause, "exit ratio of small 0.700 -> 0.650");
  EXPECT_FALSE(LookFor(Load(0.65, 1000, 100000), 100).has_value()) << "it was considered";
}

TEST_F(PlanControllerTest, AsksWhenTheRateMoved) {
  Settle(Load(0.7, 1000));
  EXPECT_FALSE(LookFor(Load(0.7, 1150), 20).has_value());
  EXPECT_FALSE(LookFor(Load(0.7, 870), 20).has_value());
  const auto more = LookFor(Load(0.7, 1250), 2);
  ASSERT_TRUE(more.has_value());
  EXPECT_EQ(more->trigger, SearchTrigger::kRate);
  EXPECT_EQ(more->cause, "rate 1000/s -> 1250/s");
  LoadEstimate unsure = Load(0.7, 900);
  unsure.arrivals.interval = {.low = 500, .high = 1300};
  EXPECT_FALSE(LookFor(unsure, 20).has_value());
}

TEST_F(PlanControllerTest, WaitsForSteadyEstimatesButNotForEver) {
  Settle(Load(0.7, 1000));
  for (const double ratio : {0.6, 0.5, 0.4}) EXPECT_FALSE(Look(Load(ratio, 1000)).has_value());
  const auto settled = Look(Load(0.4, 1000));
  ASSERT_TRUE(settled.has_value());
  EXPECT_NEAR(settled->workload.exit_ratios[0], 0.4, 1e-9);
  int looks = 0;
  for (double ratio = 0.45; looks < 20 && !Look(Load(ratio, 1000)).has_value(); ratio += 0.05) {
    ++looks;
  }
  EXPECT_EQ(looks, 5) << "seconds";
}

TEST_F(PlanControllerTest, RestsAfterAChange) {
  Settle(Load(0.7, 1000));
  controller_.Changed(true, now_);
  EXPECT_FALSE(LookFor(Load(0.4, 1000), 9).has_value());
  EXPECT_TRUE(LookFor(Load(0.4, 1000), 2).has_value());
  controller_.Changed(false, now_);
  EXPECT_FALSE(LookFor(Load(0.7, 1000), 1).has_value());
  EXPECT_TRUE(LookFor(Load(0.7, 1000), 2).has_value());
}

TEST_F(PlanControllerTest, AnOverloadIsLookedAtAtOnceAndThenOnceAMinute) {
  Settle(Load(0.7, 1000));
  const LoadEstimate load = Overload(0.7, 1000);
  const auto request = LookFor(load, 2);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->trigger, SearchTrigger::kOverload);
  EXPECT_TRUE(request->saturated);
  EXPECT_FALSE(LookFor(load, 59).has_value());
  const auto again = LookFor(load, 3);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->trigger, SearchTrigger::kRetry);
}

TEST_F(PlanControllerTest, TheRateCountsAsNotFallenWhileRequestsAreRefused) {
  Settle(Load(0.8, 9000));
  const auto request = LookFor(Overload(0.3, 6000), 10);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->trigger, SearchTrigger::kExitRatio);
  EXPECT_EQ(request->workload.rate, 9000);
  EXPECT_FALSE(LookFor(Overload(0.3, 6000), 50).has_value()) << "it has been looked at";
  const auto more = LookFor(Overload(0.3, 12000), 5);
  ASSERT_TRUE(more.has_value());
  EXPECT_EQ(more->workload.rate, 12000);
  EXPECT_FALSE(LookFor(Load(0.3, 12000), 50).has_value());
  const auto less = LookFor(Load(0.3, 6000), 5);
  ASSERT_TRUE(less.has_value());
  EXPECT_EQ(less->workload.rate, 6000);
}

TEST_F(PlanControllerTest, AnOverloadThatIsOverIsNotLookedAtAgain) {
  Settle(Load(0.7, 1000));
  ASSERT_TRUE(LookFor(Overload(0.7, 1000), 2).has_value());
  controller_.Changed(true, now_);
  EXPECT_FALSE(LookFor(Load(0.7, 1000), 200).has_value())
      << "the plan that was overloaded would look better";
  EXPECT_TRUE(LookFor(Overload(0.7, 1000), 3).has_value());
}

TEST_F(PlanControllerTest, TriesAgainAfterAFailureOnceEstimatesMoveOrAMinutePassed) {
  Settle(Load(0.7, 1000));
  controller_.Failed(now_);
  EXPECT_FALSE(LookFor(Load(0.7, 1000), 59).has_value());
  const auto retry = LookFor(Load(0.7, 1000), 3);
  ASSERT_TRUE(retry.has_value());
  EXPECT_EQ(retry->trigger, SearchTrigger::kRetry);
  EXPECT_FALSE(LookFor(Load(0.7, 1000), 200).has_value()) << "that did not fail";
  controller_.Failed(now_);
  const auto moved = LookFor(Load(0.4, 1000), 12);
  ASSERT_TRUE(moved.has_value());
  EXPECT_EQ(moved->trigger, SearchTrigger::kExitRatio);
}

TEST_F(PlanControllerTest, FrozenItAsksForNothingAndThawedItLooksAgain) {
  Settle(Load(0.7, 1000));
  controller_.Freeze();
  EXPECT_FALSE(LookFor(Load(0.2, 5000), 100).has_value());
  controller_.Thaw();
  EXPECT_FALSE(controller_.frozen());
  const auto request = LookFor(Load(0.7, 1000), 2);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->trigger, SearchTrigger::kThaw);
}

TEST_F(PlanControllerTest, AsksForNothingWithoutTraffic) {
  Settle(Load(0.7, 1000));
  LoadEstimate idle = Load(0.7, 0);
  idle.arrivals = {};
  EXPECT_FALSE(LookFor(idle, 100).has_value());
}

// The estimators and the controller together, by the counts of each second.
TEST_F(PlanControllerTest, SeesADriftWithinSeconds) {
  ExitEstimator exits(seconds(30));
  ArrivalEstimator arrivals(now_);
  const auto serve = [&](double ratio) {
    for (int i = 0; i < 1000; ++i) {
      const TimePoint at = now_ + i * milliseconds(1);
      exits.Count(i % 100 < 100 * ratio, at);
      arrivals.Count(1, false, at);
    }
    const LoadEstimate load{.exits = {exits.windows().estimate(), ExitEstimate{}},
                            .arrivals = arrivals.Estimate(now_ + seconds(1))};
    return Look(load);
  };
  for (int second = 0; second < 10; ++second) serve(0.7);
  for (int second = 0; second < 30; ++second) EXPECT_FALSE(serve(0.7).has_value());
  std::optional<PlanController::Request> request;
  int second = 0;
  while (!request.has_value() && second < 30) {
    request = serve(0.4);
    ++second;
  }
  ASSERT_TRUE(request.has_value());
  EXPECT_LE(second, 6);
  EXPECT_NEAR(request->workload.exit_ratios[0], 0.4, 0.02);
}

// --- Judge

SimulatedFigures Figures(double capacity, double goodput, double p99_ms) {
  return {.capacity = capacity, .goodput = goodput, .p99 = Seconds(p99_ms / 1e3)};
}

class Judgement : public PlanControllerTest {
 protected:
  PlanController::Verdict Judge(const Workload& workload, const SimulatedFigures& before,
                                const SimulatedFigures& after) const {
    return controller_.Judge(workload, {old_, before}, {new_, after});
  }

  const Plan old_{.workers = {{.count = 1}}};
  const Plan new_{.workers = {{.count = 2}}};
  const Workload at_1000_{.exit_ratios = {0.5, 0.5}, .rate = 1000, .objective = Seconds(0.02)};
  const Workload highest_{.exit_ratios = {0.5, 0.5}, .objective = Seconds(0.02)};
};

TEST_F(Judgement, TheSamePlanIsKept) {
  const SimulatedFigures any = Figures(100, 100, 5);
  const auto verdict = controller_.Judge(at_1000_, {old_, any}, {old_, any});
  EXPECT_FALSE(verdict.change);
  EXPECT_EQ(verdict.reason, "the plan in effect is the best one");
}

TEST_F(Judgement, ALowerP99MustBeWorthIt) {
  EXPECT_FALSE(Judge(at_1000_, Figures(2000, 1500, 11.9), Figures(2000, 1500, 10)).change);
  const auto verdict = Judge(at_1000_, Figures(2000, 1500, 12.1), Figures(2000, 1500, 10));
  EXPECT_TRUE(verdict.change);
  EXPECT_EQ(verdict.reason, "p99 12.1 ms -> 10 ms");
}

TEST_F(Judgement, APlanThatTakesTooLittleIsReplaced) {
  const auto rate = Judge(at_1000_, Figures(1190, 1100, 5), Figures(1300, 1100, 19));
  EXPECT_TRUE(rate.change);
  EXPECT_THAT(rate.reason, HasSubstr("takes 1190/s, which is less than 1.2 times 1000/s"));
  const auto p99 = Judge(at_1000_, Figures(2000, 900, 21), Figures(1300, 1200, 19));
  EXPECT_TRUE(p99.change);
  EXPECT_THAT(p99.reason, HasSubstr("a p99 of 21 ms, above the objective of 20 ms"));
}

TEST_F(Judgement, WhereNeitherHoldsTheGoodputDecides) {
  EXPECT_FALSE(Judge(at_1000_, Figures(900, 800, 30), Figures(1000, 830, 25)).change);
  EXPECT_TRUE(Judge(at_1000_, Figures(900, 800, 30), Figures(1000, 850, 25)).change);
}

TEST_F(Judgement, OneThatHoldsIsNotGivenUpForOneThatDoesNot) {
  EXPECT_FALSE(Judge(at_1000_, Figures(1300, 1200, 19), Figures(1100, 1100, 5)).change);
}

TEST_F(Judgement, WithoutARateTheGoodputDecides) {
  EXPECT_FALSE(Judge(highest_, Figures(1000, 1000, 20), Figures(1040, 1040, 1)).change);
  const auto verdict = Judge(highest_, Figures(1000, 1000, 1), Figures(1060, 1060, 20));
  EXPECT_TRUE(verdict.change);
  EXPECT_EQ(verdict.reason, "goodput 1000/s -> 1060/s");
}

TEST_F(Judgement, APlanThatServesNothingIsReplaced) {
  EXPECT_TRUE(Judge(highest_, SimulatedFigures{}, Figures(10, 10, 20)).change);
  EXPECT_TRUE(Judge(at_1000_, SimulatedFigures{}, Figures(10, 10, 20)).change);
}

TEST(Decision, IsOneLineOfFields) {
  PlanDecision decision{
      .trigger = SearchTrigger::kRate,
      .cause = "rate 1/s -> 2/s",
      .workload = {.exit_ratios = {0.25, 1}, .rate = 2},
      .before = SimulatedFigures{.capacity = 9, .goodput = 8, .p99 = Seconds(0.01)},
      .reason = "why",
      .search_time = milliseconds(3)};
  decision.after =
      SimulatedFigures{.goodput = 9, .p99 = Seconds(std::numeric_limits<double>::infinity())};
  EXPECT_EQ(ToFields(decision),
            "trigger=rate cause=\"rate 1/s -> 2/s\" action=kept reason=\"why\" exit_ratios=0.250 "
            "rate=2.0 old_capacity=9.0 old_goodput=8.0 old_p99_ms=10.000 new_capacity=0.0 "
            "new_goodput=9.0 new_p99_ms=inf search_ms=3.0 change_ms=0.0");
}

}  // namespace
}  // namespace escan
