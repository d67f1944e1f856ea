#include "server/metrics/monitoring_metrics.h"

#include "scheduling/interval.h"

namespace escan {
namespace {

using prometheus::MetricType;

// The part of some samples, with its interval: two counters and two gauges.
struct Part {
  const char* samples_name;
  const char* samples_help;
  const char* hits_name;
  const char* hits_help;
  const char* lower_name;
  const char* upper_name;
  const char* what;  // "the part of ..."
};

struct PartOfStage {
  const MetricLabels* labels;
  uint64_t hits;
  uint64_t samples;
};

void AddPart(const Part& part, const std::vector<PartOfStage>& stages, MetricFamilies* families) {
  families->Begin(MetricType::Counter, part.samples_name, part.samples_help);
  for (const PartOfStage& stage : stages) {
    families->Counter(*stage.labels, static_cast<double>(stage.samples));
  }
  families->Begin(MetricType::Counter, part.hits_name, part.hits_help);
  for (const PartOfStage& stage : stages) {
    families->Counter(*stage.labels, static_cast<double>(stage.hits));
  }
  families->Begin(
      MetricType::Gauge, part.lower_name,
      std::string("Below which ") + part.what + " does not lie, with a confidence of 95 %");
  for (const PartOfStage& stage : stages) {
    families->Gauge(*stage.labels, WilsonInterval(stage.hits, stage.samples).low);
  }
  families->Begin(
      MetricType::Gauge, part.upper_name,
      std::string("Above which ") + part.what + " does not lie, with a confidence of 95 %");
  for (const PartOfStage& stage : stages) {
    families->Gauge(*stage.labels, WilsonInterval(stage.hits, stage.samples).high);
  }
}

constexpr Part kDisagreement = {
    .samples_name = "escan_audited_exits_total",
    .samples_help = "Samples that exited at a stage and also ran through the last one",
    .hits_name = "escan_audit_disagreements_total",
    .hits_help = "Audited samples that the last stage puts into another class",
    .lower_name = "escan_audit_disagreement_lower_bound",
    .upper_name = "escan_audit_disagreement_upper_bound",
    .what = "the part of the exits that the last stage disagrees with"};

constexpr Part kAccuracy = {
    .samples_name = "escan_labelled_samples_total",
    .samples_help = "Samples answered at a stage whose right class a client told",
    .hits_name = "escan_correct_samples_total",
    .hits_help = "Labelled samples that were answered rightly",
    .lower_name = "escan_stage_accuracy_lower_bound",
    .upper_name = "escan_stage_accuracy_upper_bound",
    .what = "the accuracy of what the stage answered"};

void AddDrift(const std::vector<MonitoredStage>& stages, MetricFamilies* families) {
  const auto add = [&](MetricType type, const char* name, const char* help, auto value) {
    families->Begin(type, name, help);
    for (const MonitoredStage& stage : stages) {
      if (stage.drift.state == DriftStatus::State::kOff) continue;
      if (type == MetricType::Counter) {
        families->Counter(stage.labels, value(stage.drift));
      } else {
        families->Gauge(stage.labels, value(stage.drift));
      }
    }
  };
  add(MetricType::Gauge, "escan_scores_drifted",
      "1: the scores of the last window are not distributed as those of the calibration",
      [](const DriftStatus& drift) {
        return drift.state == DriftStatus::State::kDrifted ? 1.0 : 0.0;
      });
  add(MetricType::Gauge, "escan_scores_moved_ratio",
      "Part of the last window's scores that lie elsewhere than those of the calibration",
      [](const DriftStatus& drift) { return drift.moved; });
  add(MetricType::Counter, "escan_score_windows_total",
      "Windows of scores that were compared with the calibration",
      [](const DriftStatus& drift) { return static_cast<double>(drift.windows); });
  add(MetricType::Counter, "escan_score_windows_drifted_total",
      "Windows of scores that are not distributed as those of the calibration",
      [](const DriftStatus& drift) { return static_cast<double>(drift.windows_drifted); });
}

}  // namespace

void AddMonitoringMetrics(const std::vector<MonitoredStage>& stages, MetricFamilies* families) {
  std::vector<PartOfStage> audited;
  for (const MonitoredStage& stage : stages) {
    if (stage.audits.audited == 0) continue;
    audited.push_back({&stage.labels, stage.audits.disagreed, stage.audits.audited});
  }
  AddPart(kDisagreement, audited, families);
  AddDrift(stages, families);
  std::vector<PartOfStage> labelled;
  for (const MonitoredStage& stage : stages) {
    if (stage.accuracy.labelled == 0) continue;
    labelled.push_back({&stage.labels, stage.accuracy.correct, stage.accuracy.labelled});
  }
  AddPart(kAccuracy, labelled, families);
}

}  // namespace escan
