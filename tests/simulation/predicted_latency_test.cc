// The p99 of the model against that of the simulator, with the profile of docs/simulation.md.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "allocation/prediction.h"
#include "simulation/simulation.h"

namespace escan {
namespace {

std::vector<Seconds> Microseconds(const std::vector<double>& times) {
  std::vector<Seconds> row;
  for (const double time : times) row.emplace_back(time * 1e-6);
  return row;
}

using Times = std::vector<std::vector<double>>;  // by share, and then by bucket

// `alone` is the device's time with one client, `shared` with three.
StageCosts Stage(const std::vector<int>& buckets, const Times& step, const Times& alone,
                 const Times& shared) {
  StageCosts stage{.buckets = buckets};
  for (size_t share = 0; share < step.size(); ++share) {
    stage.step.push_back(Microseconds(step[share]));
    stage.device_time.push_back({Microseconds(alone[share]), Microseconds(shared[share])});
  }
  stage.steady_step = stage.step;
  return stage;
}

Profile ThreeStages() {
  Profile profile{.thread_percents = {50, 100}, .client_counts = {1, 3}};
  profile.stages = {
      Stage({1, 4, 16, 64}, {{90, 95, 120, 210}, {85, 90, 105, 170}},
            {{60, 65, 90, 180}, {55, 60, 75, 140}}, {{35, 40, 60, 130}, {35, 40, 60, 130}}),
      Stage({1, 4, 16, 32}, {{160, 180, 300, 480}, {150, 165, 240, 360}},
            {{130, 150, 270, 450}, {120, 135, 210, 330}}, {{80, 95, 190, 320}, {80, 95, 190, 320}}),
      Stage({1, 4, 16, 32}, {{420, 560, 1300, 2300}, {380, 450, 880, 1500}},
            {{390, 530, 1270, 2270}, {350, 420, 850, 1470}},
            {{240, 330, 820, 1450}, {240, 330, 820, 1450}})};
  return profile;
}

struct Case {
  std::string name;
  std::vector<WorkerGroup> workers;
  std::vector<int> max_batch;
};

class PredictedLatency : public testing::TestWithParam<Case> {
 protected:
  PredictedLatency() : profile_(ThreeStages()) {
    cascade_.name = "digits";
    cascade_.max_rows = 64;
    cascade_.slots = 1 << 14;
    cascade_.deadline = std::chrono::hours(1);
    plan_.workers = GetParam().workers;
    for (size_t i = 0; i < profile_.stages.size(); ++i) {
      cascade_.stages.emplace_back().buckets = profile_.stages[i].buckets;
      const Seconds delay = profile_.stages[i].step.back().front() / 4;
      plan_.stages.push_back({.max_batch = GetParam().max_batch[i],
                              .max_delay = std::chrono::duration_cast<Duration>(delay)});
    }
  }

  Prediction Predicted(double rate) const {
    return Predict(StepCosts(profile_), {.exit_ratios = {0.7, 0.5, 1}, .rate = rate}, plan_);
  }

  Seconds Simulated(double rate) const {
    const absl::StatusOr<SimulationReport> report =
        Simulate({.cascade = cascade_, .plan = plan_, .profile = profile_},
                 {.pace = OpenLoad{.rate = rate},
                  .samples = 60'000,
                  .warmup_samples = 6'000,
                  .exits = {{.ratios = {0.7, 0.5}}}});
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? Seconds(report->latency.p99) : Seconds();
  }

  const Profile profile_;
  CascadeSpec cascade_;
  Plan plan_;
};

TEST_P(PredictedLatency, IsThatOfTheSimulatorWithinAFactor) {
  const double capacity = Predicted(1).capacity.rate;
  for (const double part : {0.5, 0.8}) {
    const double rate = part * capacity;
    const double ratio = Predicted(rate).p99 / Simulated(rate);
    EXPECT_GT(ratio, 0.5) << "at " << part;
    EXPECT_LT(ratio, 2) << "at " << part;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Of, PredictedLatency,
    testing::Values(Case{"OneWorker", {{.stages = {0, 1, 2}}}, {64, 32, 32}},
                    Case{"TwoWorkers", {{.count = 2, .stages = {0, 1, 2}}}, {16, 16, 16}},
                    Case{"FourWorkers", {{.count = 4, .stages = {0, 1, 2}}}, {64, 32, 32}},
                    Case{"TwelveWorkers",
                         {{.count = 12, .thread_percent = 50, .credits = 2, .stages = {0, 1, 2}}},
                         {64, 32, 32}},
                    Case{"AWorkerForTheLastStage",
                         {{.count = 2, .thread_percent = 50, .stages = {0, 1}}, {.stages = {2}}},
                         {64, 32, 32}},
                    Case{"OverlappingClasses",
                         {{.count = 3, .thread_percent = 50, .stages = {0, 1}},
                          {.count = 3, .thread_percent = 50, .stages = {1, 2}}},
                         {16, 16, 16}}),
    [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

// A worker for each stage: early ones are always busy with small batches, which leaves the last
// less of the device than its full batches need.
class Pipeline : public PredictedLatency {};

TEST_P(Pipeline, IsKnownToFallBehindBelowItsCapacity) {
  const double capacity = Predicted(1).capacity.rate;
  const double ratio = Predicted(0.5 * capacity).p99 / Simulated(0.5 * capacity);
  EXPECT_GT(ratio, 1 / 1.5);
  EXPECT_LT(ratio, 2);
  EXPECT_TRUE(std::isinf(Predicted(0.8 * capacity).p99.count()));
  EXPECT_GT(Simulated(0.8 * capacity), 10 * Simulated(0.5 * capacity));
}

INSTANTIATE_TEST_SUITE_P(Of, Pipeline,
                         testing::Values(Case{"ThreeWorkers",
                                              {{.credits = 2, .stages = {0}},
                                               {.credits = 2, .stages = {1}},
                                               {.stages = {2}}},
                                              {64, 32, 32}}),
                         [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

}  // namespace
}  // namespace escan
