#include "allocation/model_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <vector>

#include "allocation/explain.h"
#include "allocation/flat_profile.h"
#include "allocation/memory.h"
#include "allocation/random_problems.h"

namespace escan {
namespace {

using testing::HasSubstr;

// What a plan is worth by the objective of docs/allocation.md.
struct Worth {
  bool serves = false;  // the rate, with capacity to spare, and the objective
  double p99 = 0;
  double memory = 0;
  double goodput = 0;
};

// Every plan of the grid, one after the other.
class BruteForce {
 public:
  explicit BruteForce(const Problem& problem) : problem_(problem) { ChooseGroups({}, 0); }

  // The best by each of the two goals; 0 or infinite: there is none.
  double least_p99() const { return least_p99_; }
  double least_memory() const { return least_memory_; }  // of those with the least p99
  double most_goodput() const { return most_goodput_; }
  double plans() const { return plans_; }

 private:
  const Profile& profile() const { return problem_.profile; }
  int stages() const { return static_cast<int>(profile().stages.size()); }

  // Adds groups in the order of their number (share, first stage, last stage).
  void ChooseGroups(const std::vector<WorkerGroup>& chosen, int from) {
    if (!chosen.empty()) UseIfComplete(chosen);
    if (static_cast<int>(chosen.size()) == problem_.limits.classes) return;
    int clients = 0;
    for (const WorkerGroup& group : chosen) clients += group.count;
    int number = 0;
    for (const int percent : profile().thread_percents) {
      for (int first = 0; first < stages(); ++first) {
        WorkerGroup group{.thread_percent = percent};
        for (int last = first; last < stages(); ++last) {
          group.stages.push_back(last);
          if (number++ < from) continue;
          group.credits = IsShort(group) ? 2 : 1;
          for (group.count = 1; clients + group.count <= problem_.limits.clients; ++group.count) {
            std::vector<WorkerGroup> more = chosen;
            more.push_back(group);
            ChooseGroups(more, number);
          }
        }
      }
    }
  }

  bool IsShort(const WorkerGroup& group) const {
    const StepCosts costs(profile());
    for (const int stage : group.stages) {
      for (const int rows : profile().stages[static_cast<size_t>(stage)].buckets) {
        if (costs.StepTime(stage, rows, group.thread_percent) > Seconds(0.002)) return false;
      }
    }
    return true;
  }

  void UseIfComplete(const std::vector<WorkerGroup>& groups) {
    std::vector<bool> hosted(static_cast<size_t>(stages()));
    for (const WorkerGroup& group : groups) {
      for (const int stage : group.stages) hosted[static_cast<size_t>(stage)] = true;
    }
    if (std::ranges::find(hosted, false) != hosted.end()) return;
    Plan plan{.workers = groups};
    ChooseBatches(&plan);
  }

  void ChooseBatches(Plan* plan) {
    const size_t stage = plan->stages.size();
    if (stage == profile().stages.size()) {
      Use(*plan);
      return;
    }
    const StageCosts& costs = profile().stages[stage];
    for (const int rows : costs.buckets) {
      const Seconds delay = rows == 1 ? Seconds::zero() : costs.step.back().front() / 4;
      plan->stages.push_back(
          {.max_batch = rows, .max_delay = std::chrono::duration_cast<Duration>(delay)});
      ChooseBatches(plan);
      plan->stages.pop_back();
    }
  }

  void Use(const Plan& plan) {
    ++plans_;
    const Workload& workload = problem_.workload;
    const Prediction found = problem_.Of(plan);
    const auto memory = static_cast<double>(found.memory_bytes);
    const double device = static_cast<double>(profile().device_memory_bytes);
    if (device > 0 && memory > 0.9 * device) return;
    most_goodput_ = std::max(most_goodput_, found.goodput);
    if (!workload.rate || found.capacity.rate < 1.2 * *workload.rate) return;
    if (workload.objective && found.p99 > *workload.objective) return;
    const double p99 = found.p99.count();
    if (p99 < least_p99_ * (1 - 1e-9)) {
      least_p99_ = p99;
      least_memory_ = memory;
    } else if (p99 <= least_p99_ * (1 + 1e-9)) {
      least_memory_ = std::min(least_memory_, memory);
    }
  }

  const Problem& problem_;
  double least_p99_ = std::numeric_limits<double>::infinity();
  double least_memory_ = 0;
  double most_goodput_ = 0;
  double plans_ = 0;
};

// How the hill climb's plans compare with the best of all.
struct Comparison {
  int searched = 0;    // problems that have a plan
  int found = 0;       // of these
  double logs = 0;     // sum of log(found / best), of what both goals want more of; at most 0
  int with_plans = 0;  // that the sum is over

  double mean() const { return std::exp(logs / with_plans); }

  void Add(const Problem& problem, const BruteForce& all) {
    const absl::StatusOr<Allocation> allocation = problem.Search();
    const bool serves = all.least_p99() < std::numeric_limits<double>::infinity();
    if (!serves && all.most_goodput() == 0) {
      ASSERT_FALSE(allocation.ok());
      return;
    }
    ++searched;
    if (!allocation.ok()) return;
    ++found;
    const Prediction& best = allocation->best.prediction;
    ASSERT_TRUE(Fits(problem.profile, best.memory_bytes));
    double part = best.goodput / all.most_goodput();
    if (allocation->goal == Goal::kLatency) {
      ASSERT_TRUE(serves);
      ASSERT_GE(best.capacity.rate, 1.2 * *problem.workload.rate * (1 - 1e-8));
      part = all.least_p99() / best.p99.count();
    } else if (serves) {
      return;  // it took none of those that serve: what it has instead is not comparable
    }
    ASSERT_LE(part, 1 + 1e-8) << "better than the best of all";
    logs += std::log(part);
    ++with_plans;
  }
};

// 3,000 random problems whose costs have no order among them; the parameter is the seed of 300.
class ModelSearchOracle : public testing::TestWithParam<unsigned> {};

TEST_P(ModelSearchOracle, ComesNearToWhatTryingAllPlansFinds) {
  RandomProblems random(GetParam());
  Comparison comparison;
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE(round);
    const Problem problem = random.Next(round % 8 == 0 ? 3 : 2, 4);
    comparison.Add(problem, BruteForce(problem));
    if (testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GE(comparison.found, 0.98 * comparison.searched);
  EXPECT_GE(comparison.mean(), 0.98);
}

INSTANTIATE_TEST_SUITE_P(Random, ModelSearchOracle, testing::Range(1u, 11u));

TEST(ModelSearch, KnowsTheSizeOfItsGrid) {
  RandomProblems random(13);
  for (int round = 0; round < 30; ++round) {
    const Problem problem = random.Next(3, 3);
    EXPECT_EQ(GridSize(problem.profile, problem.limits), BruteForce(problem).plans());
  }
}

// One step at a time is all that the device can do, and larger batches take as long for each row.
Profile NothingToShare() {
  Profile profile =
      FlatProfile({{Seconds(0), Seconds(0.01), 1}, {Seconds(0), Seconds(0.02), 1}}, {1});
  profile.knee = 4;
  return profile;
}

TEST(ModelSearch, GivesALonelySampleOneClientForAllStages) {
  Profile profile = NothingToShare();
  profile.context_bytes = 1;
  const Workload workload{.exit_ratios = {0.5, 0}, .rate = 0.001, .objective = Seconds(1)};
  const absl::StatusOr<Allocation> found = SearchByModel(StepCosts(profile), workload);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->goal, Goal::kLatency);
  ASSERT_EQ(found->best.plan.workers.size(), 1u);
  EXPECT_EQ(found->best.plan.workers[0].count, 1);
  EXPECT_EQ(found->best.plan.workers[0].stages, (std::vector<int>{0, 1}));
}

TEST(ModelSearch, SharesOneDeviceOnlyWhereThatPays) {
  Profile profile = NothingToShare();
  // The more clients, the longer everything takes.
  profile.client_counts = {1, 2};
  for (StageCosts& stage : profile.stages) {
    stage.device_time[0].push_back({stage.device_time[0][0][0] * 3});
  }
  const absl::StatusOr<Allocation> found =
      SearchByModel(StepCosts(profile), {.exit_ratios = {0.5, 0}});
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->best.plan.workers.size(), 1u);
  EXPECT_EQ(found->best.plan.workers[0].count, 1);
}

TEST(ModelSearch, GivesEachOfSeveralDevicesTheSamePlan) {
  const Profile profile = NothingToShare();
  const Workload one{.exit_ratios = {0.5, 0}, .rate = 10, .objective = Seconds(1)};
  Workload two = one;
  two.rate = 20;
  const absl::StatusOr<Allocation> of_one = SearchByModel(StepCosts(profile), one);
  const absl::StatusOr<Allocation> of_two = SearchByModel(StepCosts(profile), two, 2);
  ASSERT_TRUE(of_one.ok() && of_two.ok());
  std::vector<WorkerGroup> expected = of_one->best.plan.workers;
  for (WorkerGroup group : of_one->best.plan.workers) {
    group.device = 1;
    expected.push_back(group);
  }
  EXPECT_EQ(of_two->best.plan.workers, expected);
}

TEST(ModelSearch, SaysWhyNoPlanFits) {
  Profile profile = NothingToShare();
  profile.device_memory_bytes = 100 << 20;
  profile.context_bytes = 40 << 20;
  profile.stages[0].memory_bytes = 10 << 20;
  profile.stages[1].memory_bytes = 20 << 20;
  // One worker and its successor take 140 MiB, two workers and one successor 190.
  EXPECT_EQ(SearchByModel(StepCosts(profile), {.exit_ratios = {0, 0}}).status().message(),
            "no plan fits the device: the smallest one needs 140 MiB, with room to replace a "
            "worker, and 90% of 100 MiB may be used");
}

TEST(ModelSearch, SaysThatAnObjectiveIsImpossible) {
  const Profile profile = NothingToShare();
  const absl::StatusOr<Allocation> found =
      SearchByModel(StepCosts(profile), {.exit_ratios = {0.5, 0}, .objective = Seconds(0.029)});
  EXPECT_EQ(found.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(found.status().message(), "no plan keeps a p99 of 29 ms, even at the lowest rate");
}

TEST(ModelSearch, ServesAsMuchAsItCanWhenTheRateIsTooHigh) {
  const Profile profile = NothingToShare();
  const Workload workload{.exit_ratios = {0.5, 0}, .rate = 1000, .objective = Seconds(1)};
  const absl::StatusOr<Allocation> found = SearchByModel(StepCosts(profile), workload);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->goal, Goal::kGoodput);
  EXPECT_GT(found->best.prediction.goodput, 0);
  EXPECT_LT(found->best.prediction.goodput, 50);
}

TEST(ModelSearch, NamesRunnersUpWithOtherWorkers) {
  const Profile profile = NothingToShare();
  const absl::StatusOr<Allocation> found =
      SearchByModel(StepCosts(profile), {.exit_ratios = {0.5, 0}});
  ASSERT_TRUE(found.ok());
  ASSERT_FALSE(found->runners_up.empty());
  for (const PlannedPlan& other : found->runners_up) {
    EXPECT_NE(other.plan.workers, found->best.plan.workers);
    EXPECT_LE(other.prediction.goodput, found->best.prediction.goodput * (1 + 1e-9));
  }
}

TEST(Explain, TellsThePlanItsBoundsAndTheRunnersUp) {
  const Profile profile = NothingToShare();
  const Workload workload{.exit_ratios = {0.5, 0}, .rate = 10, .objective = Seconds(1)};
  const absl::StatusOr<Allocation> found = SearchByModel(StepCosts(profile), workload);
  ASSERT_TRUE(found.ok());
  const std::string text = Explain(*found, workload, {"small", "large"});
  EXPECT_THAT(text, HasSubstr("the least p99 at 10/s with 1.2 times the capacity"));
  EXPECT_THAT(text, HasSubstr("stage small: max_batch 1"));
  EXPECT_THAT(text, HasSubstr("bound by "));
  EXPECT_THAT(text, HasSubstr("runners-up\n  "));
  EXPECT_THAT(text, HasSubstr("plans evaluated"));
}

TEST(Explain, SaysWhereBatchesAreNotRegrouped) {
  const Profile profile = NothingToShare();
  const Workload workload{.exit_ratios = {0.5, 0}};
  absl::StatusOr<Allocation> found = SearchByModel(StepCosts(profile), workload);
  ASSERT_TRUE(found.ok());
  EXPECT_THAT(Explain(*found, workload, {"small", "large"}), Not(HasSubstr("not regrouped")));
  found->best.plan.options.regroup = false;
  found->runners_up.resize(1);
  found->runners_up.front().plan.options.regroup = false;
  const std::string text = Explain(*found, workload, {"small", "large"});
  EXPECT_THAT(text, HasSubstr("stay on their worker to the end and are not regrouped\n"));
  EXPECT_THAT(text, HasSubstr("] not regrouped, batches "));
}

TEST(Explain, SaysThatThereIsNoPlanForTheRate) {
  const Profile profile = NothingToShare();
  const Workload workload{.exit_ratios = {0.5, 0}, .rate = 1000, .objective = Seconds(1)};
  const absl::StatusOr<Allocation> found = SearchByModel(StepCosts(profile), workload);
  ASSERT_TRUE(found.ok());
  EXPECT_THAT(Explain(*found, workload, {"small", "large"}),
              HasSubstr("the highest rate with a p99 of at most 1e+03 ms; no plan serves the given "
                        "rate as wanted"));
}

}  // namespace
}  // namespace escan
