#include "server/metrics/monitoring_metrics.h"

#include <prometheus/text_serializer.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace escan {
namespace {

using testing::HasSubstr;
using testing::Not;

MonitoredStage Stage(const std::string& name) {
  return {
      .labels = {{"model", "test"}, {"stage", name}}, .audits = {}, .drift = {}, .accuracy = {}};
}

std::string Page(const std::vector<MonitoredStage>& stages) {
  MetricFamilies families;
  AddMonitoringMetrics(stages, &families);
  return prometheus::TextSerializer().Serialize(families.Take());
}

TEST(MonitoringMetrics, HaveTheIntervalOfDisagreements) {
  MonitoredStage stage = Stage("first");
  stage.audits = {.audited = 100, .disagreed = 2};
  const std::string page = Page({stage, Stage("second")});
  const std::string labels = "{model=\"test\",stage=\"first\"} ";
  EXPECT_THAT(page, HasSubstr("escan_audited_exits_total" + labels + "100\n"));
  EXPECT_THAT(page, HasSubstr("escan_audit_disagreements_total" + labels + "2\n"));
  EXPECT_THAT(page, HasSubstr("escan_audit_disagreement_lower_bound" + labels + "0.0055"));
  EXPECT_THAT(page, HasSubstr("escan_audit_disagreement_upper_bound" + labels + "0.070"));
  EXPECT_THAT(page, Not(HasSubstr("second"))) << "nothing was looked at";
}

TEST(MonitoringMetrics, HaveTheIntervalOfTheAccuracy) {
  MonitoredStage stage = Stage("first");
  stage.accuracy = {.labelled = 100, .correct = 98};
  const std::string page = Page({stage, Stage("second")});
  const std::string labels = "{model=\"test\",stage=\"first\"} ";
  EXPECT_THAT(page, HasSubstr("escan_labelled_samples_total" + labels + "100\n"));
  EXPECT_THAT(page, HasSubstr("escan_correct_samples_total" + labels + "98\n"));
  EXPECT_THAT(page, HasSubstr("escan_stage_accuracy_lower_bound" + labels + "0.9299"));
  EXPECT_THAT(page, HasSubstr("escan_stage_accuracy_upper_bound" + labels + "0.994"));
  EXPECT_THAT(page, Not(HasSubstr("second")));
}

TEST(MonitoringMetrics, SayWhichScoresHaveDrifted) {
  MonitoredStage stage = Stage("first");
  stage.drift = {.state = DriftStatus::State::kDrifted,
                 .windows = 7,
                 .windows_drifted = 2,
                 .samples = 1200,
                 .moved = 0.25};
  const std::string page = Page({stage, Stage("second")});
  const std::string labels = "{model=\"test\",stage=\"first\"} ";
  EXPECT_THAT(page, HasSubstr("escan_scores_drifted" + labels + "1\n"));
  EXPECT_THAT(page, HasSubstr("escan_scores_moved_ratio" + labels + "0.25\n"));
  EXPECT_THAT(page, HasSubstr("escan_score_windows_total" + labels + "7\n"));
  EXPECT_THAT(page, HasSubstr("escan_score_windows_drifted_total" + labels + "2\n"));
  stage.drift.state = DriftStatus::State::kAsCalibrated;
  EXPECT_THAT(Page({stage}), HasSubstr("escan_scores_drifted" + labels + "0\n"));
  EXPECT_THAT(page, Not(HasSubstr("second")));
}

}  // namespace
}  // namespace escan
