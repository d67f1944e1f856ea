#include "ctl/format.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

namespace escan::ctl {
namespace {

using testing::HasSubstr;
using testing::Not;

v1::GetStatusResponse Status(const std::string& text) {
  v1::GetStatusResponse status;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &status));
  return status;
}

constexpr char kServing[] = R"(
  version: "0.1.0" uptime { seconds: 3725 nanos: 900000000 } ready: true
  cascades {
    name: "digits" slots: 1024 slots_in_use: 12 requests: 1 plan_changes: 2
    plan_mode: "auto"
    arrivals {
      samples_per_second: 512.25 low: 480 high: 546 rows_per_request: 4 offered_samples: 9000
      refused_samples: 12
    }
    stages {
      name: "small" max_batch: 16 max_delay { nanos: 1000000 } threshold: 0.94 ready_workers: 2
      queued: 5 in_flight: 4 samples_executed: 1000 samples_exited: 700 samples_failed: 1
      mean_batch_rows: 7.25 mean_step_time { nanos: 180000 }
      exit_ratio { ratio: 0.75 low: 0.7053 high: 0.79 samples: 400 }
    }
    stages { name: "large" max_batch: 8 max_delay { nanos: 4000000 } speculate: true }
    workers {
      id: 0 pid: 4711 state: "ready" progress_done: 8 progress_total: 8 device: "cpu"
      thread_percent: 50 credits: 2 stages: "small" stages: "large" restarts: 3
      last_end: "killed by signal 9"
    }
    workers {
      id: 1 state: "warming" progress_done: 3 progress_total: 8 device: "cpu" thread_percent: 50
      credits: 1 stages: "large"
    }
  })";

TEST(FormatStatus, ShowsStagesAndWorkersInTables) {
  EXPECT_EQ(
      FormatStatus(Status(kServing)),
      "escand 0.1.0, ready, up for 1h2m5s\n"
      "\n"
      "cascade digits: 1 request inside, 12 of 1024 slots in use, 2 plan changes, plan "
      "auto\n"
      "  arrivals: 512.2 samples/s [480, 546], 4 in a request; 12 refused of 9000\n"
      "  STAGE               WORKERS  THRESHOLD                  EXIT RATIO  QUEUED  IN FLIGHT  "
      "MAX BATCH  "
      "MAX DELAY  MEAN BATCH  MEAN STEP  EXECUTED  EXITED  FAILED\n"
      "  small                     2       0.94  75.0 % [70.5, 79.0] of 400       5          4     "
      "    16  "
      "      1ms         7.2      180us      1000     700       1\n"
      "  large (speculated)        0          -                           -       0          0     "
      "     8  "
      "      4ms           -          -         0       0       0\n"
      "\n"
      "  WORKER   PID  STATE        DEVICE  THREADS  CREDITS  STAGES       RESTARTS  LAST END\n"
      "       0  4711  ready        cpu        50 %        2  small,large         3  killed by "
      "signal 9\n"
      "       1     -  warming 3/8  cpu        50 %        1  large               0  -\n");
}

TEST(FormatStatus, SaysThatScoresAreNan) {
  const std::string text = FormatStatus(Status(R"(cascades { name: "digits"
      stages { name: "small" samples_executed: 200 score_nan: 200
               exit_ratio { ratio: 0 low: 0 high: 0.0189 samples: 200 } }
      stages { name: "large" samples_executed: 200 score_nan: 3 } })"));
  EXPECT_THAT(text, HasSubstr(" 0.0 % [0.0, 1.9] of 200, NaN 100 % "));
  EXPECT_THAT(text, HasSubstr(" NaN 1.5 % ")) << "the last stage has no exit ratio";
}

TEST(FormatStatus, SaysWhatWasFoundOfAnswers) {
  EXPECT_THAT(FormatStatus(Status(R"(cascades { name: "digits"
      stages { name: "small" answers_checked: 64 }
      stages { name: "middle" }
      stages { name: "large" answers_checked: 32 answers_wrong: 3 answers_doubtful: 1 }
      doubtful_shares { device_index: 1 thread_percent: 30 stages: "large" replaced: 1 } })")),
              HasSubstr("  answers: small 64 checked; large 32 checked, 3 wrong, 1 doubtful\n"
                        "  doubtful: 30 % of device 1 for large, 1 worker replaced for wrong "
                        "answers\n"
                        "  STAGE "));
}

TEST(FormatStatus, SaysHowOftenTheLastStageDisagreesWithAnExit) {
  EXPECT_THAT(FormatStatus(Status(R"(cascades { name: "digits"
      stages { name: "small" disagreement { ratio: 0.02 low: 0.0055 high: 0.07 samples: 100 } }
      stages { name: "large" } })")),
              HasSubstr("  exits that the last stage disagrees with: small 2 % [0.55, 7] of 100\n"
                        "  STAGE "));
}

TEST(FormatStatus, SaysHowScoresCompareWithTheCalibration) {
  EXPECT_THAT(FormatStatus(Status(R"(cascades { name: "digits"
      stages { name: "a" drift { state: "drifted" samples: 1000 moved: 0.2 windows: 3 } }
      stages { name: "b" drift { state: "as_calibrated" samples: 1200 moved: 0.013 windows: 3 } }
      stages { name: "c" drift { state: "waiting" } }
      stages { name: "d" drift { state: "other_thresholds" } }
      stages { name: "e" } })")),
              HasSubstr("  scores: a DRIFTED (20.0 % moved, of 1000); "
                        "b as calibrated (1.3 % moved, of 1200); c waits for a full window; "
                        "d not compared, as earlier thresholds are not the calibration's\n"));
}

TEST(FormatStatus, SaysWhatLabelsHaveShown) {
  EXPECT_THAT(FormatStatus(Status(R"(cascades { name: "digits"
      stages { name: "small" accuracy { ratio: 0.95 low: 0.89 high: 0.98 samples: 100 } }
      stages { name: "large" } })")),
              HasSubstr("  accuracy by labels: small 95 % [89, 98] of 100\n"));
}

TEST(FormatStatus, SaysThatThresholdsAreLowered) {
  EXPECT_THAT(FormatStatus(Status(R"(cascades { name: "d" brown_out { level: 2 levels: 4 } })")),
              HasSubstr("  overload: thresholds are lowered, level 2 of 4\n"));
  EXPECT_THAT(FormatStatus(Status(R"(cascades { name: "d" brown_out { levels: 4 } })")),
              Not(HasSubstr("overload")));
}

constexpr char kOnGpus[] = R"(
  version: "0.1.0" uptime { seconds: 61 } ready: true
  devices {
    index: 0 kind: "gpu" name: "NVIDIA H100 80GB HBM3" multiprocessors: 132
    uuid: "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6" memory_bytes: 85520809984
  }
  devices { index: 1 kind: "cpu" name: "cpu" }
  mps { mode: "managed" running: true server_pids: 815 restarts: 1 }
  cascades {
    name: "digits" slots: 1024
    workers {
      id: 0 pid: 4711 state: "ready" device: "NVIDIA H100 80GB HBM3" thread_percent: 30
      credits: 2 stages: "small" multiprocessors: 38 device_memory_bytes: 1395864371
    }
    workers {
      id: 1 pid: 4712 state: "capturing" progress_done: 3 progress_total: 8
      device: "NVIDIA H100 80GB HBM3" thread_percent: 30 credits: 2 stages: "small"
      multiprocessors: 38 device_memory_bytes: 536870912
    }
    workers {
      id: 2 pid: 4713 state: "ready" device: "cpu" device_index: 1 thread_percent: 100 credits: 1
      stages: "large"
    }
  })";

TEST(FormatStatus, ShowsGpusAndWhatWorkersTakeOfThem) {
  const std::string text = FormatStatus(Status(kOnGpus));
  EXPECT_THAT(text, HasSubstr("escand 0.1.0, ready, up for 1m1s\n"
                              "MPS (managed) runs, server 815, 1 restart\n"
                              "\n"
                              "  DEVICE  NAME                   SMS    MEMORY  UUID\n"
                              "       0  NVIDIA H100 80GB HBM3  132  79.6 GiB  "
                              "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6\n"
                              "       1  cpu                      -         -  -\n"
                              "\n"
                              "cascade digits: "));
  EXPECT_THAT(text,
              HasSubstr("  WORKER   PID  STATE          DEVICE  THREADS  SMS   MEMORY  CREDITS  "
                        "STAGES  RESTARTS  LAST END\n"
                        "       0  4711  ready               0     30 %   38  1.3 GiB        2  "
                        "small          0  -\n"
                        "       1  4712  capturing 3/8       0     30 %   38  512 MiB        2  "
                        "small          0  -\n"
                        "       2  4713  ready               1    100 %    -        -        1  "
                        "large          0  -\n"));
}

TEST(FormatStatus, SaysHowMpsFares) {
  EXPECT_THAT(FormatStatus(Status(R"(mps { mode: "off" })")),
              HasSubstr("\nMPS is off: processes take turns on a GPU\n"));
  EXPECT_THAT(FormatStatus(Status(R"(mps {
      mode: "external" reason: "no daemon answers in /tmp/nvidia-mps" restarts: 0 })")),
              HasSubstr("\nMPS (external) does not run: no daemon answers in /tmp/nvidia-mps, 0 "
                        "restarts\n"));
  EXPECT_THAT(FormatStatus(Status(R"(devices { kind: "cpu" name: "cpu" })")),
              testing::Not(testing::AnyOf(HasSubstr("MPS"), HasSubstr("DEVICE"))));
}

TEST(FormatStatus, SaysWhatDiffersFromTheFile) {
  EXPECT_THAT(FormatStatus(Status(R"(cascades {
      name: "digits" plan_differs_from_file: true thresholds_differ_from_file: true
      plan_changes: 1 plan_change_in_progress: true })")),
              HasSubstr("1 plan change, one in progress; the plan differs from the file; the "
                        "thresholds differ from the file\n"));
}

TEST(FormatStatus, SaysThatItIsDrainingOrNotReady) {
  EXPECT_THAT(FormatStatus(Status("ready: false draining: true")), HasSubstr(", draining, "));
  EXPECT_THAT(FormatStatus(Status("ready: false")), HasSubstr(", not ready, "));
}

TEST(FormatHealth, IsOneLineWithTheReason) {
  v1::GetHealthResponse health;
  health.set_reason("stage large of digits has no ready worker");
  EXPECT_EQ(FormatHealth(health), "not ready: stage large of digits has no ready worker\n");
  health.set_ready(true);
  EXPECT_EQ(FormatHealth(health), "ready\n");
}

TEST(FormatPlan, StaysYaml) {
  v1::GetPlanResponse plan;
  plan.set_plan_yaml("workers: []\n");
  EXPECT_EQ(FormatPlan(plan), "workers: []\n");
  plan.set_differs_from_file(true);
  plan.set_plan_yaml("workers: []");
  EXPECT_EQ(FormatPlan(plan), "# differs from the configuration file\nworkers: []\n");
}

TEST(FormatPlanChange, SaysWhatHappened) {
  v1::SetPlanResponse change;
  change.set_workers_started(2);
  change.set_workers_stopped(1);
  change.mutable_took()->set_seconds(1);
  change.mutable_took()->set_nanos(234567890);
  EXPECT_EQ(FormatPlanChange(change),
            "plan in effect after 1.234s: 2 workers started, 1 worker stopped\n");
}

TEST(FormatPlanChange, SaysThatAnAutomaticPlanIsFrozen) {
  v1::SetPlanResponse change;
  change.set_frozen(true);
  EXPECT_THAT(FormatPlanChange(change), HasSubstr("0 workers stopped; it is frozen now: "));
}

TEST(FormatPlanHistory, HasALineForEachDecision) {
  EXPECT_EQ(FormatPlanHistory({}), "no better plan was looked for\n");
  v1::GetPlanHistoryResponse history;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(R"(
    decisions {
      trigger: "exit_ratio" cause: "exit ratio of small 0.700 -> 0.400" exit_ratios: 0.4 rate: 2000
      before { goodput: 1500 } after { goodput: 3000 p99 { nanos: 12500000 } } action: "changed"
      reason: "goodput" change_time { seconds: 2 }
    }
    decisions { trigger: "overload" before { goodput: 9 p99 { seconds: 1 } } action: "failed" })",
                                                            &history));
  const std::string text = FormatPlanHistory(history);
  EXPECT_THAT(text, testing::ContainsRegex(
                        "exit_ratio +0.400 +2000/s +1500/s -> 3000/s +unbounded -> 12.5ms "
                        "+changed +2s +exit ratio of small 0.700 -> 0.400: goodput\n"));
  EXPECT_THAT(text, testing::ContainsRegex("overload +- +- +9/s -> - +1s -> - +failed"));
}

TEST(FormatJson, HasEveryFieldByItsProtocolName) {
  EXPECT_THAT(
      FormatJson(v1::SetPlanResponse()),
      testing::AllOf(HasSubstr("\"workers_started\": 0"), HasSubstr("\"workers_stopped\": 0")));
}

}  // namespace
}  // namespace escan::ctl
