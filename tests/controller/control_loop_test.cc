#include "controller/control_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "allocation/flat_profile.h"

namespace escan {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

const Plan kOne = PlanOf({{.count = 1, .stages = {0, 1}}}, {16, 16});
const Plan kTwo = PlanOf({{.count = 2, .stages = {0, 1}}}, {16, 16});

CascadeSpec Digits() {
  CascadeSpec cascade;
  cascade.name = "digits";
  for (const char* stage : {"small", "large"}) cascade.stages.emplace_back().name = stage;
  return cascade;
}

// One cascade without processes: its load is set by tests, its plan by the loop.
class ControlLoopTest : public testing::Test {
 protected:
  ControlLoopTest() {
    status_.plan = kOne;
    status_.ready = true;
    status_.slots = 1000;
    status_.stages.resize(2);
    SetLoad(0.7, 100);
  }

  void SetLoad(double ratio, double rate) {
    status_.stages[0].statistics.exits.window = {.reached = 10000,
                                                 .exited = static_cast<uint64_t>(10000 * ratio)};
    status_.arrivals = {.samples_per_second = rate,
                        .interval = {.low = 0.97 * rate, .high = 1.03 * rate},
                        .requests = 1000,
                        .rows_per_request = 2};
  }

  ControlLoop& Loop() {
    if (loop_ != nullptr) return *loop_;
    ControlledCascade cascade{.spec = Digits(),
                              .profile = profile_,
                              .prior = {.exit_ratios = {0.5, 0.5}},
                              .status = [this] { return status_; },
                              .set_plan = [this](const Plan& plan) { return SetPlan(plan); },
                              .others = [this] { return others_; }};
    loop_ = std::make_unique<ControlLoop>(
        std::vector<ControlledCascade>{std::move(cascade)},
        [this](const PlanQuery& query, bool saturated) { return Search(query, saturated); },
        ControllerOptions{.cool_down = {}, .short_cool_down = {}, .patience = {}});
    return *loop_;
  }

  absl::StatusOr<FoundPlan> Search(const PlanQuery& query, bool saturated) {
    searched_.push_back(query.workload);
    saturated_ = saturated;
    limits_ = query.limits;
    if (during_search_) during_search_(query);
    if (!found_.ok()) return found_.status();
    return FoundPlan{.plan = *found_,
                     .figures = FiguresOf(*found_, query.workload),
                     .in_effect = FiguresOf(*query.in_effect, query.workload),
                     .workload = found_for_.value_or(query.workload)};
  }

  // A worker takes 1,000 samples a second.
  static SimulatedFigures FiguresOf(const Plan& plan, const Workload& workload) {
    const double capacity = 1000.0 * plan.workers.front().count;
    return {.capacity = capacity,
            .goodput = std::min(capacity, workload.rate.value_or(capacity)),
            .p99 = std::chrono::milliseconds(10)};
  }

  absl::StatusOr<PlanChange> SetPlan(const Plan& plan) {
    if (during_change_) during_change_();
    if (!can_change_.ok()) return can_change_;
    status_.plan = plan;
    ++status_.plan_changes;
    return PlanChange{.workers_started = 2};
  }

  EngineStatus status_;
  Profile profile_;
  absl::StatusOr<Plan> found_ = kTwo;
  std::optional<Workload> found_for_;  // where it is not what was asked for
  absl::Status can_change_;
  std::function<void()> during_change_;
  std::function<void(const PlanQuery&)> during_search_;
  DeviceUse others_;
  std::vector<Workload> searched_;
  bool saturated_ = false;
  SearchLimits limits_;
  std::unique_ptr<ControlLoop> loop_;
};

TEST_F(ControlLoopTest, SearchesNoPlanOfSharesAtWhichAnswersWereWrong) {
  profile_.thread_percents = {30, 50, 100};
  status_.doubtful_shares = {{.device = 0, .stages = {1}, .thread_percent = 50, .replaced = 1}};
  std::vector<int> shares;
  during_search_ = [&](const PlanQuery& query) { shares = query.profile.thread_percents; };
  Loop().LookAtAll();
  EXPECT_THAT(shares, testing::ElementsAre(30, 100));
}

TEST_F(ControlLoopTest, ChangesToABetterPlanOnceTheLoadNeedsIt) {
  found_ = kOne;
  Loop().LookAtAll();
  ASSERT_THAT(searched_, SizeIs(1));
  EXPECT_EQ(searched_[0].rate, 100);
  EXPECT_EQ(searched_[0].rows_per_request, 2);
  SetLoad(0.7, 2000);
  found_ = kTwo;
  Loop().LookAtAll();
  EXPECT_EQ(status_.plan, kTwo);
  const std::vector<PlanDecision> history = Loop().History("digits");
  ASSERT_THAT(history, SizeIs(2));
  EXPECT_EQ(history[1].trigger, SearchTrigger::kRate);
  EXPECT_EQ(history[1].action, PlanAction::kChanged);
  ASSERT_TRUE(history[1].before.has_value() && history[1].after.has_value());
  EXPECT_EQ(history[1].before->capacity, 1000);
  EXPECT_EQ(history[1].after->capacity, 2000);
  EXPECT_EQ(Loop().counts("digits")[static_cast<size_t>(PlanAction::kChanged)], 1u);
}

TEST_F(ControlLoopTest, KeepsThePlanThatTheSearchFindsAgain) {
  found_ = kOne;
  for (int look = 0; look < 5; ++look) Loop().LookAtAll();
  EXPECT_THAT(searched_, SizeIs(1));
  EXPECT_EQ(status_.plan_changes, 0u);
  ASSERT_THAT(Loop().History("digits"), SizeIs(1));
  EXPECT_EQ(Loop().History("digits")[0].action, PlanAction::kKept);
  EXPECT_EQ(Loop().History("digits")[0].reason, "the plan in effect is the best one");
}

TEST_F(ControlLoopTest, AFailedChangeLeavesThePlanAndIsNotRepeated) {
  SetLoad(0.7, 2000);
  can_change_ = absl::FailedPreconditionError("the new workers could not be started: why");
  for (int look = 0; look < 5; ++look) Loop().LookAtAll();
  EXPECT_THAT(searched_, SizeIs(1));
  EXPECT_EQ(status_.plan, kOne);
  const std::vector<PlanDecision> history = Loop().History("digits");
  ASSERT_THAT(history, SizeIs(1));
  EXPECT_EQ(history[0].action, PlanAction::kFailed);
  EXPECT_THAT(history[0].reason, HasSubstr("could not be started: why"));
  can_change_ = absl::OkStatus();
  SetLoad(0.3, 2000);
  Loop().LookAtAll();
  EXPECT_EQ(status_.plan, kTwo);
}

TEST_F(ControlLoopTest, ThatThereIsNoPlanIsRecorded) {
  found_ = absl::FailedPreconditionError("no plan keeps a p99 of 1 ms");
  Loop().LookAtAll();
  ASSERT_THAT(Loop().History("digits"), SizeIs(1));
  EXPECT_EQ(Loop().History("digits")[0].action, PlanAction::kFailed);
  EXPECT_FALSE(Loop().History("digits")[0].after.has_value());
}

TEST_F(ControlLoopTest, LooksAtNothingWhileWorkersStart) {
  status_.ready = false;
  Loop().LookAtAll();
  status_.ready = true;
  status_.plan_change_in_progress = true;
  Loop().LookAtAll();
  EXPECT_THAT(searched_, SizeIs(0));
}

TEST_F(ControlLoopTest, FrozenItKeepsThePlan) {
  EXPECT_EQ(Loop().mode("digits"), ControlLoop::Mode::kAuto);
  ASSERT_TRUE(Loop().Freeze("digits").ok());
  EXPECT_EQ(Loop().mode("digits"), ControlLoop::Mode::kFrozen);
  SetLoad(0.7, 2000);
  Loop().LookAtAll();
  EXPECT_THAT(searched_, SizeIs(0));
  ASSERT_TRUE(Loop().Thaw("digits").ok());
  Loop().LookAtAll();
  EXPECT_EQ(status_.plan, kTwo);
}

TEST_F(ControlLoopTest, AnOperatorsPlanFreezes) {
  ASSERT_TRUE(Loop().SetPlan("digits", kTwo).ok());
  EXPECT_EQ(status_.plan, kTwo);
  EXPECT_EQ(Loop().mode("digits"), ControlLoop::Mode::kFrozen);
}

TEST_F(ControlLoopTest, AnOperatorsPlanThatFailsDoesNotFreeze) {
  can_change_ = absl::FailedPreconditionError("why");
  EXPECT_TRUE(absl::IsFailedPrecondition(Loop().SetPlan("digits", kTwo).status()));
  EXPECT_EQ(Loop().mode("digits"), ControlLoop::Mode::kAuto);
}

TEST_F(ControlLoopTest, IsFrozenWhileAnOperatorsPlanIsOnItsWay) {
  during_change_ = [this] { EXPECT_EQ(Loop().mode("digits"), ControlLoop::Mode::kFrozen); };
  can_change_ = absl::FailedPreconditionError("why");
  EXPECT_FALSE(Loop().SetPlan("digits", kTwo).ok());
  EXPECT_EQ(Loop().mode("digits"), ControlLoop::Mode::kAuto);
}

TEST_F(ControlLoopTest, AFreezeOutlastsAnOperatorsPlanThatFails) {
  during_change_ = [this] { EXPECT_TRUE(Loop().Freeze("digits").ok()); };
  can_change_ = absl::FailedPreconditionError("why");
  EXPECT_FALSE(Loop().SetPlan("digits", kTwo).ok());
  EXPECT_EQ(Loop().mode("digits"), ControlLoop::Mode::kFrozen);
}

TEST_F(ControlLoopTest, ShowsAChangeFromItsBeginning) {
  SetLoad(0.7, 2000);
  std::vector<PlanDecision> meanwhile;
  during_change_ = [&] { meanwhile = Loop().History("digits"); };
  Loop().LookAtAll();
  ASSERT_THAT(meanwhile, SizeIs(1));
  EXPECT_EQ(meanwhile[0].action, PlanAction::kChanging);
  ASSERT_THAT(Loop().History("digits"), SizeIs(1));
  EXPECT_EQ(Loop().History("digits")[0].action, PlanAction::kChanged);
}

TEST_F(ControlLoopTest, AnOperatorsPlanSupersedesAChangeOfItsOwn) {
  SetLoad(0.7, 2000);
  bool begun = false;
  during_change_ = [&] {
    if (std::exchange(begun, true)) return;
    EXPECT_TRUE(Loop().SetPlan("digits", kOne).ok());
    can_change_ = absl::AbortedError("another plan was set");
  };
  Loop().LookAtAll();
  EXPECT_EQ(status_.plan, kOne);
  EXPECT_EQ(Loop().mode("digits"), ControlLoop::Mode::kFrozen);
  ASSERT_THAT(Loop().History("digits"), SizeIs(1));
  EXPECT_EQ(Loop().History("digits")[0].action, PlanAction::kFailed);
  EXPECT_THAT(Loop().History("digits")[0].reason, HasSubstr("another plan was set"));
}

TEST_F(ControlLoopTest, MakesNoChangeThatCostsMoreThanItBrings) {
  SetLoad(0.7, 2000);
  // Longer than the load is expected to last.
  status_.workers.push_back({.member = {.id = 0, .start_took = std::chrono::minutes(6)}});
  Loop().LookAtAll();
  EXPECT_EQ(status_.plan, kOne);
  ASSERT_THAT(Loop().History("digits"), SizeIs(1));
  EXPECT_EQ(Loop().History("digits")[0].action, PlanAction::kKept);
  EXPECT_THAT(Loop().History("digits")[0].reason, HasSubstr("a change takes 360 s"));
}

// Its first plan has a share that answers wrongly at each start.
TEST_F(ControlLoopTest, LeavesAPlanWhoseShareAnswersWronglyForEver) {
  profile_.thread_percents = {30, 100};
  status_.ready = false;
  status_.workers.push_back({.member = {.id = 3,
                                        .role = {.thread_percent = 30, .stages = {1}},
                                        .failed_starts = 2,
                                        .last_end = "row 0: 1 where 0 is right"}});
  Loop().LookAtAll();
  EXPECT_THAT(searched_, SizeIs(0)) << "it may merely start";
  status_.doubtful_shares = {{.device = 0, .stages = {1}, .thread_percent = 30, .replaced = 2}};
  std::vector<int> shares;
  during_search_ = [&](const PlanQuery& query) { shares = query.profile.thread_percents; };
  Loop().LookAtAll();
  EXPECT_THAT(shares, testing::ElementsAre(100));
  EXPECT_EQ(status_.plan, kTwo);
  ASSERT_THAT(Loop().History("digits"), SizeIs(1));
  EXPECT_EQ(Loop().History("digits")[0].trigger, SearchTrigger::kWrongAnswers);
  EXPECT_THAT(Loop().History("digits")[0].cause, HasSubstr("worker 3 with 30 % answers wrongly"));
}

TEST_F(ControlLoopTest, OtherCascadesAreFixed) {
  EXPECT_EQ(Loop().mode("letters"), ControlLoop::Mode::kFixed);
  EXPECT_TRUE(absl::IsFailedPrecondition(Loop().Freeze("letters")));
  EXPECT_TRUE(absl::IsFailedPrecondition(Loop().Thaw("letters")));
  EXPECT_THAT(Loop().History("letters"), SizeIs(0));
}

TEST_F(ControlLoopTest, OtherCascadesWorkersAreLeftAlone) {
  others_ = {.clients = 9};
  Loop().LookAtAll();
  EXPECT_EQ(limits_.clients, 3);
}

TEST_F(ControlLoopTest, SaysToTheSearchWhetherItIsSaturated) {
  Loop().LookAtAll();
  EXPECT_FALSE(saturated_);
  status_.slots_in_use = 1000;
  Loop().LookAtAll();
  ASSERT_THAT(searched_, SizeIs(2));
  EXPECT_TRUE(saturated_);
}

TEST_F(ControlLoopTest, RecordsAndJudgesByTheWorkloadThatAPlanWasFoundFor) {
  found_for_ = {.exit_ratios = {0.7, 0}};
  SetLoad(0.7, 5000);
  Loop().LookAtAll();
  EXPECT_EQ(status_.plan, kTwo);
  const std::vector<PlanDecision> history = Loop().History("digits");
  ASSERT_THAT(history, SizeIs(1));
  EXPECT_FALSE(history[0].workload.rate.has_value());
  EXPECT_EQ(history[0].reason, "goodput 1000/s -> 2000/s");
}

TEST_F(ControlLoopTest, KeepsTheLastDecisions) {
  found_ = kOne;
  for (int look = 0; look < 70; ++look) {
    SetLoad(look % 2 == 0 ? 0.7 : 0.4, 100);
    Loop().LookAtAll();
  }
  EXPECT_THAT(Loop().History("digits"), SizeIs(64));
  EXPECT_EQ(Loop().counts("digits")[static_cast<size_t>(PlanAction::kKept)], 70u);
}

TEST_F(ControlLoopTest, StoppedItCancelsItsSearchAndChangesNothing) {
  const Plan before = status_.plan;
  bool cancelled = false;
  during_search_ = [&](const PlanQuery& query) {
    EXPECT_FALSE(query.IsCancelled());
    Loop().Stop();
    cancelled = query.IsCancelled();
  };
  Loop().LookAtAll();
  EXPECT_TRUE(cancelled);
  EXPECT_EQ(status_.plan, before);
}

TEST_F(ControlLoopTest, LooksOnItsOwnThreadUntilItIsStopped) {
  std::mutex mutex;
  std::condition_variable looked;
  int looks = 0;
  ControlledCascade cascade{.spec = Digits(), .prior = {.exit_ratios = {0.5, 0.5}}, .status = [&] {
                              const std::lock_guard<std::mutex> lock(mutex);
                              ++looks;
                              looked.notify_all();
                              return EngineStatus();
                            }};
  ControlLoop loop({cascade});
  loop.Start();
  std::unique_lock<std::mutex> lock(mutex);
  EXPECT_TRUE(looked.wait_for(lock, std::chrono::minutes(1), [&] { return looks >= 2; }));
}

}  // namespace
}  // namespace escan
