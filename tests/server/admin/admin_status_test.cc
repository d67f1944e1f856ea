#include "server/admin/admin_status.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "scheduling/brown_out.h"
#include "server/protocol/protocol_cascade.h"

namespace escan {
namespace {

constexpr auto kFixed = ControlLoop::Mode::kFixed;

EngineStatus Status() {
  EngineStatus status;
  status.stages.resize(2);
  status.stages[0].threshold = 0.5f;
  status.stages[0].set_threshold = 0.5f;
  status.stages[0].policy = {.max_batch = 4, .max_delay = std::chrono::milliseconds(1500)};
  status.stages[0].statistics.samples_executed = 30;
  status.stages[0].statistics.batches = 10;
  status.stages[0].statistics.execute_ns = 5000;
  EngineStatus::Worker worker;
  worker.member.id = 3;
  worker.member.role = {.stages = {1}};
  worker.member.state = FleetState::kStarting;
  worker.reported = WorkerState::kWarming;
  worker.pid = 77;
  status.workers = {worker};
  return status;
}

CascadeConfig Configured() {
  CascadeConfig config;
  config.spec = ProtocolCascade();
  return config;
}

TEST(AdminStatus, StagesHaveMeansAndThresholdsWhereTheyCanExit) {
  const v1::CascadeStatus status = DescribeStatus(Configured(), {Device{}}, Status(), kFixed);
  ASSERT_EQ(status.stages_size(), 2);
  EXPECT_EQ(status.stages(0).name(), "small");
  EXPECT_EQ(status.stages(0).mean_batch_rows(), 3.0);
  EXPECT_EQ(status.stages(0).mean_step_time().nanos(), 500);
  EXPECT_EQ(status.stages(0).max_delay().seconds(), 1);
  EXPECT_EQ(status.stages(0).max_delay().nanos(), 500'000'000);
  EXPECT_TRUE(status.stages(0).has_threshold());
  EXPECT_FALSE(status.stages(1).has_threshold());
  EXPECT_EQ(status.stages(1).mean_batch_rows(), 0.0);
}

TEST(AdminStatus, EstimatesHaveTheirIntervals) {
  EngineStatus status = Status();
  status.stages[0].statistics.exits.window = {.reached = 100, .exited = 70};
  status.stages[1].statistics.exits.window = {.reached = 30, .exited = 30};
  status.arrivals = {.samples_per_second = 50,
                     .interval = {.low = 40, .high = 62},
                     .rows_per_request = 2,
                     .offered_samples = 900,
                     .refused_samples = 8};
  const v1::CascadeStatus described = DescribeStatus(Configured(), {Device{}}, status, kFixed);
  const v1::ExitRatio& exits = described.stages(0).exit_ratio();
  EXPECT_DOUBLE_EQ(exits.ratio(), 0.7);
  EXPECT_NEAR(exits.low(), 0.604, 1e-3);
  EXPECT_NEAR(exits.high(), 0.781, 1e-3);
  EXPECT_EQ(exits.samples(), 100u);
  EXPECT_FALSE(described.stages(1).has_exit_ratio()) << "the last stage always answers";
  EXPECT_EQ(described.arrivals().samples_per_second(), 50);
  EXPECT_EQ(described.arrivals().low(), 40);
  EXPECT_EQ(described.arrivals().rows_per_request(), 2);
  EXPECT_EQ(described.arrivals().offered_samples(), 900u);
  EXPECT_EQ(described.arrivals().refused_samples(), 8u);
}

TEST(AdminStatus, SaysWhatAuditsHaveShownWithAnInterval) {
  EngineStatus status = Status();
  status.stages[0].audits = {.audited = 100, .disagreed = 2};
  const v1::CascadeStatus described = DescribeStatus(Configured(), {Device{}}, status, kFixed);
  EXPECT_EQ(described.stages(0).disagreement().samples(), 100u);
  EXPECT_DOUBLE_EQ(described.stages(0).disagreement().ratio(), 0.02);
  EXPECT_NEAR(described.stages(0).disagreement().low(), 0.00550, 1e-5);
  EXPECT_NEAR(described.stages(0).disagreement().high(), 0.0700, 1e-4);
  EXPECT_FALSE(described.stages(1).has_disagreement());
}

TEST(AdminStatus, SaysHowScoresCompareWithTheCalibration) {
  EngineStatus status = Status();
  status.stages[0].statistics.drift = {.state = DriftStatus::State::kDrifted,
                                       .windows = 4,
                                       .windows_drifted = 1,
                                       .samples = 1000,
                                       .statistic = 80,
                                       .limit = 40,
                                       .moved = 0.2};
  const v1::CascadeStatus described = DescribeStatus(Configured(), {Device{}}, status, kFixed);
  const v1::Drift& drift = described.stages(0).drift();
  EXPECT_EQ(drift.state(), "drifted");
  EXPECT_EQ(drift.windows(), 4u);
  EXPECT_EQ(drift.windows_drifted(), 1u);
  EXPECT_EQ(drift.samples(), 1000u);
  EXPECT_EQ(drift.chi_square(), 80);
  EXPECT_EQ(drift.limit(), 40);
  EXPECT_EQ(drift.moved(), 0.2);
  EXPECT_FALSE(described.stages(1).has_drift());
}

TEST(AdminStatus, SaysHowFarThresholdsAreLowered) {
  CascadeConfig config = Configured();
  EngineStatus status = Status();
  EXPECT_FALSE(DescribeStatus(config, {Device{}}, status, kFixed).has_brown_out());
  config.spec.lowest_thresholds = {0.1f, 1.0f};
  status.stages[0].set_threshold = config.spec.stages[0].exit.threshold;
  status.stages[0].threshold = 0.1f;
  status.brown_out = BrownOut::kLevels;
  status.brown_out_steps = 6;
  const v1::CascadeStatus described = DescribeStatus(config, {Device{}}, status, kFixed);
  EXPECT_EQ(described.brown_out().level(), 4u);
  EXPECT_EQ(described.brown_out().levels(), 4u);
  EXPECT_EQ(described.brown_out().steps(), 6u);
  EXPECT_FLOAT_EQ(described.stages(0).threshold(), 0.1f) << "what is in effect";
  EXPECT_FALSE(described.thresholds_differ_from_file()) << "nobody set another";
}

TEST(AdminStatus, SaysWhatWasFoundOfAnswersAndScores) {
  EngineStatus status = Status();
  status.stages[1].statistics.score_nan = 4;
  status.stages[1].statistics.answers_checked = 20;
  status.stages[1].statistics.answers_wrong = 3;
  status.stages[1].statistics.answers_doubtful = 2;
  status.doubtful_shares = {{.device = 2, .stages = {1}, .thread_percent = 30, .replaced = 1}};
  const v1::CascadeStatus described = DescribeStatus(Configured(), {Device{}}, status, kFixed);
  EXPECT_EQ(described.stages(0).answers_checked(), 0u);
  EXPECT_EQ(described.stages(1).score_nan(), 4u);
  EXPECT_EQ(described.stages(1).answers_checked(), 20u);
  EXPECT_EQ(described.stages(1).answers_wrong(), 3u);
  EXPECT_EQ(described.stages(1).answers_doubtful(), 2u);
  ASSERT_EQ(described.doubtful_shares_size(), 1);
  EXPECT_EQ(described.doubtful_shares(0).device_index(), 2u);
  EXPECT_EQ(described.doubtful_shares(0).thread_percent(), 30u);
  EXPECT_EQ(described.doubtful_shares(0).stages(0), "large");
  EXPECT_EQ(described.doubtful_shares(0).replaced(), 1u);
}

TEST(AdminStatus, AnAutomaticPlanDoesNotDifferFromTheFile) {
  EngineStatus status = Status();
  status.plan.options.regroup = false;
  using Mode = ControlLoop::Mode;
  const auto describe = [&](Mode mode) {
    return DescribeStatus(Configured(), {Device{}}, status, mode);
  };
  EXPECT_FALSE(describe(Mode::kAuto).plan_differs_from_file());
  EXPECT_EQ(describe(Mode::kAuto).plan_mode(), "auto");
  EXPECT_FALSE(describe(Mode::kFrozen).plan_differs_from_file());
  EXPECT_EQ(describe(Mode::kFrozen).plan_mode(), "frozen");
  EXPECT_TRUE(describe(Mode::kFixed).plan_differs_from_file());
  EXPECT_EQ(describe(Mode::kFixed).plan_mode(), "fixed");
}

TEST(AdminStatus, AStartingWorkerSaysHowFarItIs) {
  const v1::CascadeStatus status = DescribeStatus(Configured(), {Device{}}, Status(), kFixed);
  ASSERT_EQ(status.workers_size(), 1);
  EXPECT_EQ(status.workers(0).state(), "warming");
  EXPECT_EQ(status.workers(0).pid(), 77);
  EXPECT_EQ(status.workers(0).device(), "cpu");
  ASSERT_EQ(status.workers(0).stages_size(), 1);
  EXPECT_EQ(status.workers(0).stages(0), "large");
}

TEST(AdminStatus, AWorkerOnAGpuSaysWhatItTakesOfIt) {
  EngineStatus status = Status();
  EngineStatus::Worker& worker = status.workers.front();
  worker.member.role.device = 1;
  worker.member.role.thread_percent = 30;
  worker.reported = WorkerState::kCapturing;
  worker.progress_done = 3;
  worker.progress_total = 8;
  worker.multiprocessors = 38;
  worker.device_memory = size_t{5} << 30;
  const Device gpu{.kind = Device::Kind::kGpu, .name = "H100"};
  const v1::CascadeStatus described = DescribeStatus(Configured(), {Device{}, gpu}, status, kFixed);
  ASSERT_EQ(described.workers_size(), 1);
  EXPECT_EQ(described.workers(0).state(), "capturing");
  EXPECT_EQ(described.workers(0).progress_done(), 3u);
  EXPECT_EQ(described.workers(0).progress_total(), 8u);
  EXPECT_EQ(described.workers(0).device(), "H100");
  EXPECT_EQ(described.workers(0).device_index(), 1u);
  EXPECT_EQ(described.workers(0).thread_percent(), 30u);
  EXPECT_EQ(described.workers(0).multiprocessors(), 38u);
  EXPECT_EQ(described.workers(0).device_memory_bytes(), 5368709120u);
}

TEST(AdminStatus, DevicesAreDescribed) {
  const Device gpu{Device::Kind::kGpu, "H100", "GPU-1", 132, size_t{80} << 30};
  const v1::DeviceStatus described = DescribeDevice(2, gpu);
  EXPECT_EQ(described.index(), 2u);
  EXPECT_EQ(described.kind(), "gpu");
  EXPECT_EQ(described.name(), "H100");
  EXPECT_EQ(described.uuid(), "GPU-1");
  EXPECT_EQ(described.multiprocessors(), 132u);
  EXPECT_EQ(described.memory_bytes(), 85899345920u);
  EXPECT_EQ(DescribeDevice(0, Device{}).kind(), "cpu");
}

TEST(AdminStatus, MpsIsDescribed) {
  const v1::MpsStatus described = DescribeMps({.mode = MpsConfig::Mode::kExternal,
                                               .running = true,
                                               .server_pids = {7, 8},
                                               .restarts = 2,
                                               .reason = "why"});
  EXPECT_EQ(described.mode(), "external");
  EXPECT_TRUE(described.running());
  ASSERT_EQ(described.server_pids_size(), 2);
  EXPECT_EQ(described.server_pids(1), 8);
  EXPECT_EQ(described.restarts(), 2u);
  EXPECT_EQ(described.reason(), "why");
}

TEST(AdminStatus, WhatDiffersFromTheFileIsSaid) {
  EngineStatus changed = Status();
  EXPECT_FALSE(
      DescribeStatus(Configured(), {Device{}}, changed, kFixed).thresholds_differ_from_file());
  EXPECT_FALSE(DescribeStatus(Configured(), {Device{}}, changed, kFixed).plan_differs_from_file());
  changed.stages[0].set_threshold = 0.6f;
  // The last stage's threshold is not used.
  changed.stages[1].set_threshold = 0.7f;
  changed.plan.options.regroup = false;
  EXPECT_TRUE(
      DescribeStatus(Configured(), {Device{}}, changed, kFixed).thresholds_differ_from_file());
  EXPECT_TRUE(DescribeStatus(Configured(), {Device{}}, changed, kFixed).plan_differs_from_file());
}

absl::Status Check(const CascadeSpec& cascade, const std::string& stage, float threshold) {
  google::protobuf::Map<std::string, float> thresholds;
  thresholds[stage] = threshold;
  return CheckThresholds(cascade, thresholds).status();
}

TEST(AdminStatus, ThresholdsAreCheckedByStage) {
  CascadeSpec cascade = ProtocolCascade();
  EXPECT_TRUE(Check(cascade, "small", 1).ok());
  EXPECT_EQ(Check(cascade, "tiny", 1).message(),
            "unknown stage 'tiny': model 'pictures' has 'small', 'large'");
  EXPECT_EQ(Check(cascade, "small", 1.5).message(),
            "stage 'small': threshold 1.5 is not in [0, 1]");
  EXPECT_EQ(Check(cascade, "small", std::nanf("")).message(),
            "stage 'small': threshold nan is not in [0, 1]");
  EXPECT_EQ(Check(cascade, "large", 0.5).message(),
            "stage 'large': has no threshold, the last stage always answers");
  cascade.stages[0].exit.score = ExitScore::kNone;
  EXPECT_EQ(Check(cascade, "small", 0.5).message(),
            "stage 'small': has no threshold, it is not scored");
  cascade.stages[0].exit.score = ExitScore::kOutput;
  EXPECT_TRUE(Check(cascade, "small", -7).ok());
  EXPECT_EQ(Check(cascade, "small", std::numeric_limits<float>::infinity()).message(),
            "stage 'small': threshold inf is not a finite number");
}

}  // namespace
}  // namespace escan
