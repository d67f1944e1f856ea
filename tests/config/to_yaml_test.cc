#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "arrays/zip_files.h"
#include "config/config.h"
#include "config/config_folder.h"
#include "support/temporary_folder.h"

namespace escan {
namespace {

void ExpectEqual(const StageSpec& a, const StageSpec& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.executor, b.executor);
  EXPECT_EQ(a.model, b.model);
  EXPECT_EQ(a.inputs, b.inputs);
  EXPECT_EQ(a.outputs, b.outputs);
  EXPECT_EQ(a.answer, b.answer);
  EXPECT_EQ(a.buckets, b.buckets);
  EXPECT_EQ(a.exit.score, b.exit.score);
  EXPECT_EQ(a.exit.output, b.exit.output);
  EXPECT_EQ(a.exit.threshold, b.exit.threshold);
  EXPECT_EQ(a.gpu, b.gpu);
}

void ExpectEqual(const CascadeConfig& a, const CascadeConfig& b) {
  EXPECT_EQ(a.spec.name, b.spec.name);
  EXPECT_EQ(a.spec.max_rows, b.spec.max_rows);
  EXPECT_EQ(a.spec.deadline, b.spec.deadline);
  EXPECT_EQ(a.spec.latency_objective, b.spec.latency_objective);
  EXPECT_EQ(a.spec.inputs, b.spec.inputs);
  EXPECT_EQ(a.spec.outputs, b.spec.outputs);
  EXPECT_EQ(a.spec.slots, b.spec.slots);
  EXPECT_EQ(a.spec.verify_every, b.spec.verify_every);
  EXPECT_EQ(a.spec.audit_every, b.spec.audit_every);
  EXPECT_EQ(a.spec.calibration.file, b.spec.calibration.file);
  EXPECT_EQ(a.spec.calibration.stages, b.spec.calibration.stages);
  EXPECT_EQ(a.spec.lowest_thresholds, b.spec.lowest_thresholds);
  EXPECT_EQ(a.spec.feedback, b.spec.feedback);
  EXPECT_EQ(a.spec.probe, b.spec.probe);
  EXPECT_EQ(a.profile, b.profile);
  EXPECT_EQ(a.plan, b.plan);
  EXPECT_EQ(a.plan_is_auto, b.plan_is_auto);
  ASSERT_EQ(a.spec.stages.size(), b.spec.stages.size());
  for (size_t i = 0; i < a.spec.stages.size(); ++i) {
    ExpectEqual(a.spec.stages[i], b.spec.stages[i]);
  }
}

void ExpectEqual(const Config& a, const Config& b) {
  EXPECT_EQ(a.server, b.server);
  EXPECT_EQ(a.http, b.http);
  EXPECT_EQ(a.devices, b.devices);
  EXPECT_EQ(a.mps, b.mps);
  EXPECT_EQ(a.cache, b.cache);
  EXPECT_EQ(a.shutdown.grace, b.shutdown.grace);
  EXPECT_EQ(a.shutdown.drain_timeout, b.shutdown.drain_timeout);
  ASSERT_EQ(a.cascades.size(), b.cascades.size());
  for (size_t i = 0; i < a.cascades.size(); ++i) ExpectEqual(a.cascades[i], b.cascades[i]);
}

// Loads `yaml` and what ToYaml makes of it, from another folder, and expects the same.
void ExpectRoundTrip(const ConfigFolder& folder, const std::string& yaml,
                     const std::vector<Device>& gpus = {}) {
  const absl::StatusOr<Config> config = folder.Load(yaml, gpus);
  ASSERT_TRUE(config.ok()) << config.status();
  const std::string written = ToYaml(*config);
  const ConfigFolder elsewhere;
  const absl::StatusOr<Config> again = elsewhere.Load(written, gpus);
  ASSERT_TRUE(again.ok()) << again.status() << "\n" << written;
  ExpectEqual(*config, *again);
  EXPECT_EQ(ToYaml(*again), written);
}

TEST(ToYaml, ReadsBackADefaultConfiguration) {
  const ConfigFolder folder;
  ExpectRoundTrip(folder, TwoStages());
}

TEST(ToYaml, ReadsBackEveryKey) {
  const ConfigFolder folder;
  folder.Write("a folder: with, odd [characters]/large.pt", "weights");
  ExpectRoundTrip(folder, R"(
server: {listen: "[::1]:0", metrics: off, admin: "unix:with space: and colon"}
http: {listen: "127.0.0.1:8000", allow_origins: ["*", "https://example.org"]}
devices: [cpu]
mps: {mode: external, directory: "a folder: with/pipes"}
cache: "../cache, too"
shutdown: {grace: 1500ms, drain_timeout: 2m}
cascades:
  - name: digits
    max_rows: 7
    deadline: 123456789ns
    latency_objective: {p99: 20ms}
    slots: 99
    verify: {every: 500}
    audit: {every: 1000}
    overload: {lower_thresholds_to: {"off": -2.5, near: 0.1}}
    feedback: {samples: 500, keep: 90s}
    inputs:
      - {name: "null", datatype: UINT64, shape: [28, 28], range: [0, 9223372036854775807]}
      - {name: "true", datatype: INT64, shape: [], range: [-9223372036854775808, 5]}
      - {name: "-", datatype: BF16, shape: [3, 1, 2]}
    outputs: [{name: "12", datatype: FP32, shape: [10]}]
    profile: "some where/profile.json"
    stages:
      - name: "off"
        executor: null
        inputs: ["null", "true"]
        outputs:
          - {name: sureness, datatype: FP32, shape: []}
          - {name: "12", datatype: FP32, shape: [10]}
        exit: {score: output, output: sureness, threshold: -1.17549e-38}
      - {name: mid, executor: null, inputs: [off.sureness, "true"], exit: {score: none}, buckets: [3]}
      - {name: near, executor: null, exit: {score: entropy, threshold: 0.30000001}}
      - {name: large, model: "a folder: with, odd [characters]/large.pt", exit: {score: margin}}
    plan:
      workers:
        - {count: 2, thread_percent: 33, credits: 3, stages: ["off", mid, near, large]}
        - {stages: [large]}
      stages:
        mid: {max_batch: 2, max_delay: 500us}
        near: {speculate: true}
      options: {regroup: false, cancel: never}
  - name: letters
    inputs: [{name: image, datatype: UINT8, shape: [28, 28]}]
    outputs: [{name: probabilities, datatype: FP32, shape: [26]}]
    stages: [{name: only, executor: null}]
)");
}

TEST(ToYaml, ReadsBackTheCalibration) {
  const ConfigFolder folder;
  folder.Write("a calibration.json", CalibrationOfTwoStages());
  ExpectRoundTrip(folder, TwoStages("    calibration: a calibration.json\n"));
}

TEST(ToYaml, ReadsBackTheProbe) {
  const ConfigFolder folder;
  const std::string rows = Npy("|u1", "(2, 3)", std::string(6, '\1'));
  std::ofstream(folder.Write("some rows.npz", ""), std::ios::binary) << Zip({{"image.npy", rows}});
  ExpectRoundTrip(folder, R"(
cascades:
  - name: digits
    inputs: [{name: image, datatype: UINT8, shape: [3]}]
    outputs: [{name: probabilities, datatype: FP32, shape: [10]}]
    probe: "some rows.npz"
    stages: [{name: only, executor: null}]
)");
}

TEST(ToYaml, ReadsBackWhatIsForGpus) {
  const ConfigFolder folder;
  folder.Write("large.pt", "weights");
  ExpectRoundTrip(folder, R"(
devices: [GPU-8932f937-0, cpu, GPU-8932f937-d]
cascades:
  - name: digits
    inputs: [{name: image, datatype: UINT8, shape: [28, 28]}]
    outputs: [{name: probabilities, datatype: FP32, shape: [10]}]
    stages:
      - {name: a, model: large.pt, exit: {score: margin, threshold: 0.5}}
      - {name: b, model: large.pt, exit: {score: margin, threshold: 0.5}, precision: fp16,
         layout: contiguous, execution: graph}
      - {name: c, model: large.pt, precision: fp32, layout: channels_last, execution: eager}
    plan:
      workers:
        - {device: 2, thread_percent: 30, memory_limit: 1.5GiB, stages: [a, b]}
        - {device: 1, thread_percent: 50, stages: [c]}
)",
                  TwoGpus());
}

TEST(ToYaml, NamesGpusByUuidAndSaysWhatTheyAre) {
  const ConfigFolder folder;
  const absl::StatusOr<Config> config = folder.Load(TwoStages(), {TwoGpus().front()});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_NE(ToYaml(*config).find("devices: [GPU-8932f937-d72c-4106-c12f-20bd9faed9f6]  # H100\n"),
            std::string::npos)
      << ToYaml(*config);
}

TEST(ToYaml, ShowsThePlanThatAutoStandsFor) {
  const ConfigFolder folder;
  const absl::StatusOr<Config> config = folder.Load(TwoStages());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_NE(ToYaml(*config).find("# workers:"), std::string::npos);
}

}  // namespace
}  // namespace escan
