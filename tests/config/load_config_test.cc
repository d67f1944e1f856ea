#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/config.h"
#include "config/config_folder.h"

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(LoadConfig, FillsInTheDefaultsOfTheServer) {
  const ConfigFolder folder;
  const Config config = MustLoad(folder, TwoStages());
  EXPECT_EQ(config.server.listen, "127.0.0.1:8001");
  EXPECT_EQ(config.server.metrics, "127.0.0.1:8002");
  EXPECT_EQ(config.server.admin, "unix:/run/escan/admin.sock");
  EXPECT_EQ(config.server, ServerConfig{});
  EXPECT_FALSE(config.server.tls.has_value());
  EXPECT_FALSE(config.server.model_control);
  EXPECT_THAT(config.devices, ElementsAre(Device{Device::Kind::kCpu, "cpu"}));
  EXPECT_EQ(config.mps, MpsConfig{});
  EXPECT_TRUE(config.cache.empty());
  EXPECT_EQ(config.shutdown.grace, seconds(2));
  EXPECT_EQ(config.shutdown.drain_timeout, seconds(30));
}

TEST(LoadConfig, ReadsTheServer) {
  const ConfigFolder folder;
  const Config config = MustLoad(folder, R"(
server: {listen: "0.0.0.0:9000", metrics: "0.0.0.0:9001", admin: "[::1]:9002"}
devices: [auto]
mps: {mode: external}
shutdown: {grace: 0s, drain_timeout: 1.5m}
)" + TwoStages());
  EXPECT_EQ(config.server.listen, "0.0.0.0:9000");
  EXPECT_EQ(config.server.metrics, "0.0.0.0:9001");
  EXPECT_EQ(config.server.admin, "[::1]:9002");
  EXPECT_THAT(config.devices, ElementsAre(Device{}));
  EXPECT_EQ(config.mps.mode, MpsConfig::Mode::kExternal);
  EXPECT_EQ(config.shutdown.grace, seconds(0));
  EXPECT_EQ(config.shutdown.drain_timeout, seconds(90));
}

TEST(LoadConfig, HttpIsOffUnlessItHasAnAddress) {
  const ConfigFolder folder;
  EXPECT_EQ(MustLoad(folder, TwoStages()).http, HttpConfig{});
  EXPECT_EQ(MustLoad(folder, "http: {listen: off}\n" + TwoStages()).http, HttpConfig{});
  const HttpConfig http = MustLoad(folder, R"(
http: {listen: "[::1]:8000", allow_origins: ["https://example.org:8443", "*"]}
)" + TwoStages())
                              .http;
  EXPECT_EQ(http.listen, "[::1]:8000");
  EXPECT_THAT(http.allow_origins, ElementsAre("https://example.org:8443", "*"));
}

TEST(LoadConfig, MetricsCanBeOff) {
  const ConfigFolder folder;
  EXPECT_THAT(MustLoad(folder, "server: {metrics: off}\n" + TwoStages()).server.metrics, IsEmpty());
  EXPECT_THAT(MustLoad(folder, "server: {metrics: ''}\n" + TwoStages()).server.metrics, IsEmpty());
}

TEST(LoadConfig, AutoIsEveryGpuElseTheCpu) {
  const ConfigFolder folder;
  for (const std::string& yaml : {TwoStages(), "devices: [auto]\n" + TwoStages()}) {
    EXPECT_EQ(folder.Load(yaml, TwoGpus())->devices, TwoGpus());
    EXPECT_THAT(folder.Load(yaml)->devices, ElementsAre(Device{}));
  }
}

TEST(LoadConfig, GpusAreNamedByWhateverBeginsTheirUuid) {
  const ConfigFolder folder;
  const std::vector<Device> gpus = TwoGpus();
  EXPECT_THAT(folder.Load("devices: [cpu]\n" + TwoStages(), gpus)->devices, ElementsAre(Device{}));
  EXPECT_THAT(folder.Load("devices: [GPU-8932f937-0000]\n" + TwoStages(), gpus)->devices,
              ElementsAre(gpus[1]));
  EXPECT_THAT(
      folder
          .Load("devices: [" + gpus[1].uuid + ", cpu, " + gpus[0].uuid + "]\n" + TwoStages(), gpus)
          ->devices,
      ElementsAre(gpus[1], Device{}, gpus[0]));
  EXPECT_THAT(folder.Load("devices: [GPU-8932f937]\n" + TwoStages(), {gpus[0]})->devices,
              ElementsAre(gpus[0]));
}

TEST(LoadConfig, FoldersAreRelativeToTheFileAndNeedNotExist) {
  const ConfigFolder folder;
  const Config config = MustLoad(
      folder, "mps: {mode: external, directory: run/mps}\ncache: ../cache\n" + TwoStages());
  EXPECT_EQ(config.mps.directory, folder.path() / "run/mps");
  EXPECT_EQ(config.cache, folder.path().parent_path() / "cache");
  const Config absolute =
      MustLoad(folder, "mps: {directory: /run/escan/mps}\ncache: /var/cache/escan\n" + TwoStages());
  EXPECT_EQ(absolute.mps.directory, "/run/escan/mps");
  EXPECT_EQ(absolute.cache, "/var/cache/escan");
}

TEST(LoadConfig, ReadsHowAGpuRunsAStage) {
  const ConfigFolder folder;
  folder.Write("model.pt", "weights");
  const CascadeSpec spec = MustLoadCascade(folder, R"(
cascades:
  - name: digits
    inputs: [{name: image, datatype: UINT8, shape: [28, 28]}]
    outputs: [{name: probabilities, datatype: FP32, shape: [10]}]
    stages:
      - {name: small, model: model.pt, exit: {score: none}}
      - {name: large, model: model.pt, precision: fp16, layout: channels_last, execution: eager}
)")
                               .spec;
  EXPECT_EQ(spec.stages.at(0).gpu,
            (GpuOptions{Precision::kFp32, MemoryLayout::kAuto, Execution::kAuto}));
  EXPECT_EQ(spec.stages.at(1).gpu,
            (GpuOptions{Precision::kFp16, MemoryLayout::kChannelsLast, Execution::kEager}));
}

TEST(LoadConfig, ReadsWhatKeepsACascadeCalibrated) {
  const ConfigFolder folder;
  const std::filesystem::path file = folder.Write("calibration.json", CalibrationOfTwoStages());
  const CascadeSpec spec = MustLoadCascade(folder, TwoStages(R"(    audit: {every: 1000}
    calibration: calibration.json
    overload: {lower_thresholds_to: {small: 0.7}}
    feedback: {samples: 5000}
)"))
                               .spec;
  EXPECT_EQ(spec.audit_every, 1000);
  EXPECT_EQ(spec.calibration.file, file);
  EXPECT_THAT(spec.calibration.stages,
              ElementsAre(StageCalibration{.threshold = 0.9f,
                                           .lowest_threshold = 0.7f,
                                           .scores = {{0.5f, 0.6f}, {10, 20, 30}}},
                          StageCalibration{.threshold = std::nullopt,
                                           .lowest_threshold = std::nullopt,
                                           .scores = {{0.5f}, {10, 20}}}));
  ASSERT_EQ(spec.lowest_thresholds.size(), 2u);
  EXPECT_EQ(spec.lowest_thresholds[0], 0.7f);
  EXPECT_EQ(spec.feedback, (FeedbackSpec{.samples = 5000, .keep = std::chrono::hours(1)}));
}

TEST(LoadConfig, WithoutMpsAGpuIsUsedAsAWhole) {
  const ConfigFolder folder;
  const absl::StatusOr<Config> config = folder.Load("mps: {mode: off}\n" + TwoStages(), TwoGpus());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->cascades.at(0).plan.workers.at(0).thread_percent, 100);
}

TEST(LoadConfig, FillsInTheDefaultsOfACascade) {
  const ConfigFolder folder;
  const CascadeConfig cascade = MustLoadCascade(folder, TwoStages());
  EXPECT_EQ(cascade.spec.name, "digits");
  EXPECT_EQ(cascade.spec.max_rows, 128);
  EXPECT_EQ(cascade.spec.deadline, seconds(1));
  EXPECT_EQ(cascade.spec.latency_objective, std::nullopt);
  EXPECT_EQ(cascade.spec.slots, 1024);
  EXPECT_EQ(cascade.spec.verify_every, 10'000);
  EXPECT_EQ(cascade.spec.audit_every, 0);
  EXPECT_THAT(cascade.spec.calibration.stages, IsEmpty());
  EXPECT_THAT(cascade.spec.lowest_thresholds, IsEmpty());
  EXPECT_EQ(cascade.spec.feedback.samples, 0);
  EXPECT_TRUE(cascade.profile.empty());
  EXPECT_TRUE(cascade.plan_is_auto);
  EXPECT_EQ(cascade.plan, SafePlan(cascade.spec));
}

TEST(LoadConfig, FillsInTheDefaultsOfAStage) {
  const ConfigFolder folder;
  const CascadeSpec spec = MustLoadCascade(folder, TwoStages()).spec;
  ASSERT_EQ(spec.stage_count(), 2);
  EXPECT_THAT(spec.stages[0].inputs, ElementsAre(TensorRef{TensorRef::kRequest, 0}));
  EXPECT_EQ(spec.stages[0].outputs, spec.outputs);
  EXPECT_THAT(spec.stages[0].answer, ElementsAre(0));
  EXPECT_THAT(spec.stages[0].buckets, ElementsAre(1, 4, 16, 64));
  EXPECT_THAT(spec.stages[1].buckets, ElementsAre(1, 8, 32));
}

TEST(LoadConfig, ReadsACascade) {
  const ConfigFolder folder;
  const CascadeConfig cascade = MustLoadCascade(folder, R"(
cascades:
  - name: text
    max_rows: 8
    deadline: 250ms
    latency_objective: {p99: 20ms}
    slots: 4000
    verify: {every: 0}
    profile: profiles/text.json
    inputs:
      - {name: tokens, datatype: INT32, shape: [16], range: [0, 30521]}
      - {name: length, datatype: INT64, shape: []}
    outputs: [{name: scores, datatype: FP32, shape: [2]}]
    stages: [{name: only, executor: "null"}]
)");
  EXPECT_EQ(cascade.spec.max_rows, 8);
  EXPECT_EQ(cascade.spec.deadline, milliseconds(250));
  EXPECT_EQ(cascade.spec.latency_objective, milliseconds(20));
  EXPECT_EQ(cascade.spec.slots, 4000);
  EXPECT_EQ(cascade.spec.verify_every, 0);
  EXPECT_EQ(cascade.profile, folder.path() / "profiles/text.json");
  EXPECT_THAT(cascade.spec.inputs,
              ElementsAre(TensorSpec{"tokens", Datatype::kInt32, {16}, IntegerRange{0, 30521}},
                          TensorSpec{"length", Datatype::kInt64, {}, std::nullopt}));
  EXPECT_THAT(cascade.spec.outputs,
              ElementsAre(TensorSpec{"scores", Datatype::kFp32, {2}, std::nullopt}));
  EXPECT_EQ(cascade.spec.stages[0].executor, ExecutorKind::kNull);
}

TEST(LoadConfig, FindsModelsBesideTheFile) {
  const ConfigFolder folder;
  folder.Write("models/small.pt", "weights");
  const CascadeSpec spec = MustLoadCascade(folder, R"(
cascades:
  - name: digits
    inputs: [{name: image, datatype: UINT8, shape: [28, 28]}]
    outputs: [{name: probabilities, datatype: FP32, shape: [10]}]
    stages: [{name: small, model: models/../models/small.pt}]
)")
                               .spec;
  EXPECT_EQ(spec.stages[0].executor, ExecutorKind::kTorchScript);
  EXPECT_EQ(spec.stages[0].model, folder.path() / "models/small.pt");
}

TEST(LoadConfig, MakesModelPathsAbsolute) {
  const ConfigFolder folder;
  folder.Write("small.pt", "weights");
  const std::filesystem::path file = folder.Write("escand.yaml", R"(
cascades:
  - name: digits
    inputs: [{name: image, datatype: UINT8, shape: [28, 28]}]
    outputs: [{name: probabilities, datatype: FP32, shape: [10]}]
    stages: [{name: small, model: small.pt}]
)");
  const absl::StatusOr<Config> config = LoadConfig(std::filesystem::relative(file));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->cascades[0].spec.stages[0].model, folder.path() / "small.pt");
}

TEST(LoadConfig, SlotsFollowFromThePlan) {
  const ConfigFolder folder;
  const std::string yaml = TwoStages(R"(
    plan:
      workers:
        - {count: 4, credits: 2, stages: [small, large]}
        - {count: 3, credits: 1, stages: [large]}
      stages:
        small: {max_batch: 48}
        large: {max_batch: 20}
)");
  EXPECT_EQ(MustLoadCascade(folder, yaml).spec.slots, 4 * (4 * 2 * 48 + 3 * 1 * 20));
}

TEST(LoadConfig, SlotsAreEnoughForTheWorkersOfAnAutomaticPlan) {
  const ConfigFolder folder;
  EXPECT_EQ(MustLoadCascade(folder, TwoStages("    plan: auto\n")).spec.slots, 1024)
      << "the safe plan, which stays";
  const CascadeSpec spec =
      MustLoadCascade(folder, TwoStages("    profile: profile.json\n    plan: auto\n")).spec;
  EXPECT_EQ(spec.slots, 4 * 12 * 2 * 64);
}

TEST(LoadConfig, SlotsHoldTheLargestRequest) {
  const ConfigFolder folder;
  EXPECT_EQ(MustLoadCascade(folder, TwoStages("    max_rows: 4096\n")).spec.slots, 4096);
}

TEST(LoadConfig, DefaultSlotsStayWithinOneGibibyte) {
  const ConfigFolder folder;
  const CascadeSpec spec = MustLoadCascade(folder, R"(
cascades:
  - name: video
    inputs: [{name: frames, datatype: UINT8, shape: [2, 1048576]}]
    outputs: [{name: probabilities, datatype: FP32, shape: [10]}]
    stages: [{name: only, executor: null}]
)")
                               .spec;
  EXPECT_EQ(spec.slots, 511) << "a slot takes 2 MiB and a cache line";
}

TEST(LoadConfig, ServesSeveralCascades) {
  const ConfigFolder folder;
  const Config config = MustLoad(folder, TwoStages(R"(
  - name: letters
    inputs: [{name: image, datatype: UINT8, shape: [28, 28]}]
    outputs: [{name: probabilities, datatype: FP32, shape: [26]}]
    stages: [{name: only, executor: null}]
)"));
  ASSERT_EQ(config.cascades.size(), 2u);
  EXPECT_EQ(config.cascades[0].spec.name, "digits");
  EXPECT_EQ(config.cascades[1].spec.name, "letters");
}

TEST(LoadConfig, ReadsAPlanFromAFileOfItsOwn) {
  const ConfigFolder folder;
  folder.Write("plans/two.yaml", "workers: [{count: 2, stages: [large, small]}]\n");
  const CascadeConfig cascade = MustLoadCascade(folder, TwoStages("    plan: plans/two.yaml\n"));
  EXPECT_FALSE(cascade.plan_is_auto);
  ASSERT_EQ(cascade.plan.workers.size(), 1u);
  EXPECT_EQ(cascade.plan.workers[0].count, 2);
  EXPECT_THAT(cascade.plan.workers[0].stages, ElementsAre(0, 1));
}

TEST(LoadConfig, APlanCanBeAskedForByName) {
  const ConfigFolder folder;
  EXPECT_TRUE(MustLoadCascade(folder, TwoStages("    plan: auto\n")).plan_is_auto);
}

TEST(LoadConfigFor, TakesOtherDevicesThanTheFileLists) {
  const ConfigFolder folder;
  const std::filesystem::path file = folder.Write(
      "escand.yaml", "devices: [GPU-00000000]\n" +
                         TwoStages("    plan: {workers: [{device: 1, stages: [small, large]}]}\n"));
  const absl::StatusOr<Config> config = LoadConfigFor(file, TwoGpus());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->devices, TwoGpus());
  EXPECT_EQ(LoadConfigFor(file, {Device{}}).status(),
            absl::InvalidArgumentError(
                file.string() + ":9: cascades[0].plan.workers[0].device: 1 is not in [0, 0]"));
}

TEST(LoadConfig, DeeplyNestedTextIsAMistake) {
  const ConfigFolder folder;
  const absl::Status status = folder.Load("cascades: " + std::string(100000, '[')).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
}

TEST(LoadConfig, BinaryTextIsAMistake) {
  const ConfigFolder folder;
  std::string bytes;
  for (int i = 0; i < 4096; ++i) bytes.push_back(static_cast<char>(i * 37 % 256));
  EXPECT_EQ(folder.Load(bytes).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace escan
