#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/config.h"
#include "config/config_folder.h"

namespace escan {
namespace {

using testing::ElementsAre;

CascadeSpec TwoStageCascade() {
  const ConfigFolder folder;
  const absl::StatusOr<Config> config = folder.Load(TwoStages());
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? config->cascades[0].spec : CascadeSpec();
}

// For a machine whose devices are a GPU and the CPU.
absl::StatusOr<Plan> Parse(const std::string& yaml,
                           MpsConfig::Mode mps = MpsConfig::Mode::kManaged) {
  const std::vector<Device> devices = {TwoGpus().front(), Device{}};
  const CascadeSpec cascade = TwoStageCascade();
  return ParsePlan(yaml, "plan.yaml", {cascade, devices, mps});
}

Plan MustParse(const std::string& yaml, MpsConfig::Mode mps = MpsConfig::Mode::kManaged) {
  const absl::StatusOr<Plan> plan = Parse(yaml, mps);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *plan : Plan();
}

std::string Message(const std::string& yaml, MpsConfig::Mode mps = MpsConfig::Mode::kManaged) {
  return std::string(Parse(yaml, mps).status().message());
}

TEST(SafePlan, IsOneWorkerThatHostsEverything) {
  const Plan plan = SafePlan(TwoStageCascade());
  EXPECT_THAT(plan.workers,
              ElementsAre(WorkerGroup{
                  .count = 1, .device = 0, .thread_percent = 100, .credits = 1, .stages = {0, 1}}));
  EXPECT_THAT(plan.stages, ElementsAre(StagePolicy{.max_batch = 64}, StagePolicy{.max_batch = 32}));
  EXPECT_EQ(plan.options, PlanOptions{});
}

TEST(ParsePlan, FillsInDefaults) {
  EXPECT_EQ(MustParse("workers: [{stages: [small, large]}]"), SafePlan(TwoStageCascade()));
}

TEST(ParsePlan, ReadsEveryKey) {
  const Plan plan = MustParse(R"(
workers:
  - {count: 4, device: 0, thread_percent: 30, memory_limit: 6GiB, credits: 2, stages: [small, large]}
  - {count: 2, device: 1, thread_percent: 40, credits: 1, stages: [large]}
stages:
  small: {max_batch: 16, max_delay: 1ms}
  large: {max_batch: 8, max_delay: 4ms, speculate: true}
options: {regroup: false, cancel: never}
)");
  EXPECT_THAT(plan.workers, ElementsAre(WorkerGroup{4, 0, 30, 2, {0, 1}, size_t{6} << 30},
                                        WorkerGroup{2, 1, 40, 1, {1}}));
  EXPECT_THAT(plan.stages, ElementsAre(StagePolicy{16, std::chrono::milliseconds(1), false},
                                       StagePolicy{8, std::chrono::milliseconds(4), true}));
  EXPECT_FALSE(plan.options.regroup);
  EXPECT_EQ(plan.options.cancel, CancelPolicy::kNever);
}

TEST(ParsePlan, SortsHostedStages) {
  EXPECT_THAT(MustParse("workers: [{stages: [large, small]}]").workers[0].stages,
              ElementsAre(0, 1));
}

TEST(ParsePlan, WithRegroupingAnyStageMayBeHostedAlone) {
  EXPECT_EQ(MustParse("workers: [{stages: [small]}, {stages: [large]}]").workers.size(), 2u);
}

TEST(ParsePlan, WithoutRegroupingAWorkerMayHostTheLastStagesOnly) {
  EXPECT_FALSE(MustParse("workers: [{stages: [small, large]}, {stages: [large]}]\n"
                         "options: {regroup: false}")
                   .options.regroup);
}

TEST(ParsePlan, WithoutMpsOnlyTheCpuIsShared) {
  constexpr MpsConfig::Mode kOff = MpsConfig::Mode::kOff;
  EXPECT_EQ(MustParse("workers: [{device: 0, stages: [small, large]}, "
                      "{device: 1, thread_percent: 30, stages: [large]}]",
                      kOff)
                .workers.size(),
            2u);
  EXPECT_EQ(Message("workers: [{device: 0, thread_percent: 99, stages: [small, large]}]", kOff),
            "plan.yaml:1: workers[0].thread_percent: 99 is a share that MPS keeps, and mps.mode is "
            "off: processes take turns on the whole GPU, expected 100");
}

TEST(ParsePlan, TheCpusMemoryIsNotLimited) {
  EXPECT_EQ(Message("workers: [{device: 1, memory_limit: 1GiB, stages: [small, large]}]"),
            "plan.yaml:1: workers[0].memory_limit: device 1 is the cpu, whose memory is not "
            "limited here");
}

TEST(ParsePlan, AGroupOnNoDeviceIsCheckedAgainstNone) {
  EXPECT_EQ(Message("workers: [{device: 2, thread_percent: 30, stages: [small, large]}]",
                    MpsConfig::Mode::kOff),
            "plan.yaml:1: workers[0].device: 2 is not in [0, 1]");
}

TEST(ParsePlan, NamesItsSource) {
  EXPECT_EQ(Message("\nworkers: [{count: 0, stages: [small, large]}]"),
            "plan.yaml:2: workers[0].count: 0 is not in [1, 64]");
}

TEST(ParsePlan, RefusesWhatIsNotAPlan) {
  EXPECT_EQ(Message(""), "plan.yaml:1: nothing but comments, expected a map");
  EXPECT_EQ(Message("auto"), "plan.yaml:1: expected a map, found auto");
  EXPECT_EQ(Message("workers: ["), "plan.yaml:1: not YAML: end of sequence flow not found");
}

TEST(ParsePlan, ReadsBackWhatToYamlWrites) {
  const CascadeSpec cascade = TwoStageCascade();
  Plan plan = SafePlan(cascade);
  plan.workers.front().memory_limit = size_t{1536} << 20;
  plan.workers.push_back(
      {.count = 3, .device = 1, .thread_percent = 7, .credits = 4, .stages = {1}});
  plan.stages[1] = {.max_batch = 5, .max_delay = std::chrono::nanoseconds(1500), .speculate = true};
  plan.options = {.regroup = false, .cancel = CancelPolicy::kNever};
  EXPECT_EQ(MustParse(ToYaml(plan, cascade)), plan);
}

}  // namespace
}  // namespace escan
