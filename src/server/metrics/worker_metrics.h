#pragma once

#include <string>
#include <vector>

#include "engine/engine_status.h"
#include "server/daemon/mps_report.h"
#include "server/metrics/metric_families.h"

namespace escan {

// The workers of one cascade at one moment.
struct ModelWorkers {
  std::string model;
  std::vector<EngineStatus::Worker> workers;
};

// Worker processes by state, and what each of those on a GPU takes of it.
void AddWorkerMetrics(const std::vector<ModelWorkers>& models, MetricFamilies* families);

// Nothing where MPS is off.
void AddMpsMetrics(const MpsReport& mps, MetricFamilies* families);

}  // namespace escan
