#include "ctl/predict_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "config/config_folder.h"
#include "ctl/one_share_profile.h"
#include "nlohmann/json.hpp"

namespace escan::ctl {
namespace {

using testing::HasSubstr;

// A full batch of `small` takes 1 ms, one of `large` 4 ms; they hardly slow each other.
const std::string kProfile = OneShareProfile(4000, 1);

class PlanPrediction : public testing::Test {
 protected:
  PlanPrediction() {
    command_.files.config = folder_.Write("escand.yaml", TwoStages());
    command_.files.profile = folder_.Write("profile.json", kProfile);
    command_.exit_ratios = {0.5};
    const std::string stages = "stages: {small: {max_batch: 64}, large: {max_batch: 32}}\n";
    command_.plans = {
        folder_.Write("one.yaml", "workers: [{stages: [small, large]}]\n" + stages),
        folder_.Write("three.yaml", "workers: [{count: 3, stages: [small, large]}]\n" + stages)};
  }

  std::string Output(bool json) const {
    const absl::StatusOr<std::string> output = PredictPlansFromFiles(command_, json);
    EXPECT_TRUE(output.ok()) << output.status();
    return output.value_or("");
  }
  std::string Error() const {
    return std::string(PredictPlansFromFiles(command_, false).status().message());
  }

  const ConfigFolder folder_;
  PlanPredictCommand command_;
};

TEST_F(PlanPrediction, IsALineForEachPlan) {
  std::istringstream lines(Output(true));
  for (const int workers : {1, 3}) {
    std::string line;
    ASSERT_TRUE(std::getline(lines, line));
    const nlohmann::json found = nlohmann::json::parse(line);
    EXPECT_EQ(found["plan"], command_.plans[workers == 1 ? 0 : 1]);
    const double expected = workers * 0.95 / (1e-3 / 64 + 0.5 * 4e-3 / 32);
    EXPECT_NEAR(found["worker_bound"], expected, 1e-6 * expected);
    EXPECT_NEAR(found["rate"], expected, 1e-3 * expected);
    // The model leaves a worker a twentieth of its time.
    EXPECT_NEAR(found["simulated_rate"], expected / 0.95, 0.02 * expected);
    EXPECT_NEAR(found["device_bound"], 1 / (1e-6 / 64 + 0.5e-6 / 32), 1e-3);
    EXPECT_TRUE(found["bus_bound"].is_null());
  }
  EXPECT_THAT(Output(false), HasSubstr("three.yaml: 36480/s (workers 36480/s, device "));
}

TEST_F(PlanPrediction, LimitsTheBatchesOfAllStages) {
  command_.plans.resize(1);
  command_.limit = 8;
  const double of_both = 0.95 / (1e-3 / 8 + 0.5 * 4e-3 / 8);
  EXPECT_NEAR(nlohmann::json::parse(Output(true))["worker_bound"], of_both, 1e-6 * of_both);
  command_.limit = 64;  // large has no batches of more than 32
  const double of_one = 0.95 / (1e-3 / 64 + 0.5 * 4e-3 / 32);
  EXPECT_NEAR(nlohmann::json::parse(Output(true))["worker_bound"], of_one, 1e-6 * of_one);
}

TEST_F(PlanPrediction, NamesWhatIsWrong) {
  command_.exit_ratios = {};
  EXPECT_EQ(Error(), "exit ratios: 0 given, expected 1, one for each stage of digits but the last");
  command_.exit_ratios = {0.5};
  command_.plans.push_back(folder_.Write("bad.yaml", "workers: [{stages: [huge]}]\n"));
  EXPECT_THAT(Error(), HasSubstr("bad.yaml:1: workers[0].stages[0]: "));
  command_.plans.back() = folder_.path() / "none.yaml";
  EXPECT_EQ(Error(), "there is no file " + command_.plans.back());
}

}  // namespace
}  // namespace escan::ctl
