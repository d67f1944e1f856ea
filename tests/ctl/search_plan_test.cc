#include "ctl/search_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "config/config_folder.h"
#include "nlohmann/json.hpp"

namespace escan::ctl {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// A full batch of `small` takes 1 ms, one of `large` 3 ms, and any share of the device will do.
constexpr char kProfile[] = R"({
  "device": {"kind": "gpu", "name": "H100", "multiprocessors": 132},
  "thread_percents": [50, 100],
  "client_counts": [1, 4],
  "padded": true,
  "knee": 4,
  "stages": [
    {"name": "small", "buckets": [1, 4, 16, 64],
     "step_us": [[900, 920, 950, 1000], [900, 920, 950, 1000]],
     "device_time_us": [[[100, 100, 100, 100], [100, 100, 100, 100]],
                        [[100, 100, 100, 100], [100, 100, 100, 100]]]},
    {"name": "large", "buckets": [1, 8, 32],
     "step_us": [[2000, 2500, 3000], [2000, 2500, 3000]],
     "device_time_us": [[[300, 300, 300], [300, 300, 300]], [[300, 300, 300], [300, 300, 300]]]}
  ]
})";

class PlanSearchFromFiles : public testing::Test {
 protected:
  PlanSearchFromFiles() {
    command_.files.config = folder_.Write("escand.yaml", TwoStages());
    command_.files.profile = folder_.Write("profile.json", kProfile);
    command_.exit_ratios = {0.5};
  }

  nlohmann::json Json() const {
    const absl::StatusOr<std::string> output = RunPlanSearch(command_, true);
    EXPECT_TRUE(output.ok()) << output.status();
    return output.ok() ? nlohmann::json::parse(*output) : nlohmann::json();
  }

  std::string Error() const {
    return std::string(RunPlanSearch(command_, false).status().message());
  }

  const ConfigFolder folder_;
  PlanSearchCommand command_;
};

TEST_F(PlanSearchFromFiles, ExplainsItsChoice) {
  const absl::StatusOr<std::string> text = RunPlanSearch(command_, false);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, AllOf(HasSubstr("small"), HasSubstr("large"),
                           HasSubstr("simulated, in this order\n  ")));
}

TEST_F(PlanSearchFromFiles, WritesAPlanThatIsReadBack) {
  command_.output = folder_.path() / "plan.yaml";
  const std::string plan = Json()["plan"];
  std::ifstream file(command_.output);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), plan);
  const absl::StatusOr<ProfiledCascade> loaded = LoadProfiledCascade(command_.files);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const absl::StatusOr<Plan> parsed =
      ParsePlan(plan, "plan", {.cascade = loaded->cascade.spec, .devices = loaded->config.devices});
  EXPECT_TRUE(parsed.ok()) << parsed.status();
}

TEST_F(PlanSearchFromFiles, GivesASmallLoadThePlanOfLeastLatency) {
  const double highest = Json()["capacity_samples_per_s"];
  command_.rate = highest / 100;
  const nlohmann::json relaxed = Json();
  EXPECT_EQ(relaxed["rate_samples_per_s"], *command_.rate);
  EXPECT_GE(relaxed["capacity_samples_per_s"], 1.2 * *command_.rate);
  EXPECT_GT(relaxed["p99_ms"], 0);
  EXPECT_EQ(relaxed["simulated_goodput_samples_per_s"], *command_.rate);
  EXPECT_GE(relaxed["simulated_capacity_samples_per_s"], 1.2 * *command_.rate);
}

TEST_F(PlanSearchFromFiles, PutsFirstWhatTheSimulatorPutsFirst) {
  command_.rate = 3000;
  const nlohmann::json found = Json();
  ASSERT_GT(found["plans"].size(), 1u);
  EXPECT_EQ(found["plans"][0]["plan"], found["plan"]);
  EXPECT_EQ(found["plans"][0]["simulated_p99_ms"], found["simulated_p99_ms"]);
  for (const nlohmann::json& other : found["plans"]) {
    EXPECT_LE(found["simulated_p99_ms"].get<double>(),
              other["simulated_p99_ms"].get<double>() * 1.002);
    EXPECT_GT(other["p99_ms"], 0);
  }
}

TEST_F(PlanSearchFromFiles, GivesEachOfSeveralDevicesItsPart) {
  // By the model: which of its plans the simulator puts first may differ.
  const auto most = [this] {
    double most = 0;
    const nlohmann::json json = Json();
    for (const nlohmann::json& found : json["plans"]) {
      most = std::max(most, found["goodput_samples_per_s"].get<double>());
    }
    return most;
  };
  const double one = most();
  command_.files.devices = 4;
  EXPECT_NEAR(most(), 4 * one, one * 1e-6);
  EXPECT_THAT(std::string(Json()["plan"]), HasSubstr("device: 3"));
}

TEST_F(PlanSearchFromFiles, TakesTheObjectiveOfTheCascadeOrItsOwn) {
  command_.files.config =
      folder_.Write("escand.yaml", TwoStages("    latency_objective: {p99: 1us}\n"));
  EXPECT_THAT(Error(), HasSubstr("p99"));
  command_.objective = std::chrono::seconds(1);
  EXPECT_LE(Json()["p99_ms"], 1000);
}

TEST_F(PlanSearchFromFiles, NamesWhatIsWrong) {
  command_.exit_ratios = {1.5};
  EXPECT_EQ(Error(), "exit ratios: 1.5 is not in [0, 1]");
  command_.exit_ratios = {};
  EXPECT_EQ(Error(), "exit ratios: 0 given, expected 1, one for each stage of digits but the last");
  command_.files.profile = folder_.path() / "none.json";
  EXPECT_EQ(Error(), "there is no file " + command_.files.profile);
}

}  // namespace
}  // namespace escan::ctl
