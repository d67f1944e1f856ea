#include "ctl/simulate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "config/config_folder.h"
#include "ctl/one_share_profile.h"
#include "nlohmann/json.hpp"

namespace escan::ctl {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// A step of `small` takes 1 ms, one of `large` 3 ms; they do not slow each other.
const std::string kProfile = OneShareProfile(3000, 0.001);

class Simulation : public testing::Test {
 protected:
  Simulation() {
    command_.files.config =
        folder_.Write("escand.yaml", TwoStages("    latency_objective: {p99: 2ms}\n"));
    command_.files.profile = folder_.Write("profile.json", kProfile);
    command_.exit_ratios = {1};
    command_.load.pace = OpenLoad{.arrivals = Arrivals::kConstant, .rate = 100};
    command_.load.samples = 100;
  }

  std::string Output(bool json = false) const {
    const absl::StatusOr<std::string> output = RunSimulation(command_, json);
    EXPECT_TRUE(output.ok()) << output.status();
    return output.ok() ? *output : "";
  }

  std::string Error() const {
    return std::string(RunSimulation(command_, false).status().message());
  }

  const ConfigFolder folder_;
  SimulateCommand command_;
};

TEST_F(Simulation, IsReportedForPeople) {
  EXPECT_EQ(Output(),
            "cascade     digits, simulated for 991ms\n"
            "load        open loop, constant arrivals at 100 requests/s, 1 row a request (seed 1)\n"
            "requests    100 sent, 100 served, 0 refused, 0 past their deadline\n"
            "achieved    100.9 samples/s, of these 100.9 samples/s within 2ms\n"
            "latency ms  mean 1.000  p50 1.000  p90 1.000  p95 1.000  p99 1.000  p99.9 1.000  max "
            "1.000\n"
            "\n"
            "  STAGE  SAMPLES  EXITED  BATCHES  MEAN BATCH  MEAN STEP  UTILISATION\n"
            "  small      100     100      100         1.0        1ms       10.1 %\n"
            "  large        0       0        0         0.0          0        0.0 %\n"
            "\n"
            "  WORKERS  DEVICE  THREADS  CREDITS  STAGES       UTILISATION\n"
            "        1       0    100 %        1  small,large       10.1 %\n");
}

TEST_F(Simulation, IsReportedAsJson) {
  command_.exit_ratios = {0};
  command_.load.pace = ClosedLoad{.concurrency = 2};
  command_.load.rows = 2;
  command_.load.overhead = std::chrono::microseconds(250);
  const nlohmann::json json = nlohmann::json::parse(Output(true));
  EXPECT_EQ(json["model"], "digits");
  EXPECT_EQ(json["load"]["loop"], "closed");
  EXPECT_EQ(json["load"]["concurrency"], 2);
  EXPECT_EQ(json["load"]["rows_per_request"], 2);
  EXPECT_EQ(json["load"]["exit_ratios"], nlohmann::json({0.0}));
  EXPECT_EQ(json["load"]["overhead_us"], 250);
  EXPECT_EQ(json["requests"]["served"], 50);
  EXPECT_EQ(json["samples"], 100);
  EXPECT_EQ(json["goodput_samples_per_s"], 0);
  EXPECT_EQ(json["latency_ms"]["p50"], 4.25);  // both requests in one batch
  EXPECT_EQ(json["stages"][1]["name"], "large");
  EXPECT_EQ(json["stages"][1]["exits"], 100);
  EXPECT_EQ(json["stages"][1]["mean_batch_rows"], 4);
  EXPECT_EQ(json["stages"][1]["mean_step_us"], 3000);
  EXPECT_EQ(json["workers"][0]["stages"], nlohmann::json({"small", "large"}));
}

TEST_F(Simulation, HasNoLatencyWhereNothingIsServed) {
  command_.load.deadline = std::chrono::microseconds(10);
  EXPECT_THAT(Output(), HasSubstr("0 served, 0 refused, 100 past their deadline\n"));
  EXPECT_TRUE(nlohmann::json::parse(Output(true))["latency_ms"].is_null());
}

TEST_F(Simulation, TakesAPlanOfItsOwnOnAsManyDevicesAsAsked) {
  command_.plan = folder_.Write("plan.yaml",
                                "workers:\n"
                                "  - {stages: [small]}\n"
                                "  - {device: 7, stages: [large]}\n");
  EXPECT_EQ(Error(), command_.plan + ":3: workers[1].device: 7 is not in [0, 0]");
  command_.files.devices = 8;
  EXPECT_THAT(Output(), HasSubstr("        1       7    100 %        1  large "));
}

TEST_F(Simulation, NeedsNoneOfTheConfiguredGpus) {
  command_.files.config = folder_.Write("escand.yaml", "devices: [GPU-00000000]\n" + TwoStages());
  EXPECT_THAT(Output(), StartsWith("cascade     digits, "));
}

TEST_F(Simulation, AsksWhichOfSeveralCascades) {
  std::string two = TwoStages();
  const std::string first = two.substr(two.find('\n') + 1);
  two += first;
  two.replace(two.rfind("digits"), 6, "others");
  command_.files.config = folder_.Write("escand.yaml", two);
  EXPECT_EQ(Error(), "there are several cascades, expected --model with one of digits, others");
  command_.files.model = "letters";
  EXPECT_EQ(Error(), "there is no cascade letters, expected one of digits, others");
  command_.files.model = "others";
  EXPECT_THAT(Output(), StartsWith("cascade     others, "));
}

TEST_F(Simulation, NamesWhatIsWrongWithAFileOrALoad) {
  command_.exit_ratios = {0.5, 0.5};
  EXPECT_EQ(Error(), "exit ratios: 2 given, expected 1, one for each stage of digits but the last");
  command_.plan = folder_.path() / "none.yaml";
  EXPECT_EQ(Error(), "there is no file " + command_.plan);
  command_.files.config = folder_.Write("escand.yaml", "cascades: []\n");
  EXPECT_EQ(Error(), command_.files.config + ":1: cascades: has 0 elements, expected 1 to 64");
  command_.files.profile = folder_.Write("profile.json", R"({"device": {"kind": "cpu"}})");
  EXPECT_EQ(Error(), command_.files.profile + ":1: device.name: missing");
}

}  // namespace
}  // namespace escan::ctl
