#pragma once

#include <vector>

#include "engine/engine.h"
#include "server/metrics/metric_families.h"
#include "server/protocol/answer_feedback.h"

namespace escan {

// What watches over one stage of a model have found.
struct MonitoredStage {
  MetricLabels labels;  // model and stage
  AuditCount audits;
  DriftStatus drift;
  StageAccuracy accuracy;
};

// Adds what is known of stages whose answers are watched; a stage that was not looked at is left
// out.
void AddMonitoringMetrics(const std::vector<MonitoredStage>& stages, MetricFamilies* families);

}  // namespace escan
