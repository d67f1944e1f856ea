#include "server/metrics/worker_metrics.h"

#include <algorithm>
#include <utility>

#include "server/admin/worker_state.h"

namespace escan {
namespace {

using prometheus::MetricType;

bool UsesGpu(const EngineStatus::Worker& worker) { return worker.multiprocessors > 0; }

void AddStates(const std::vector<ModelWorkers>& models, MetricFamilies* families) {
  families->Begin(MetricType::Gauge, "escan_workers", "Worker processes by state");
  for (const ModelWorkers& model : models) {
    for (const std::string_view state : kWorkerStateNames) {
      const auto workers = std::count_if(
          model.workers.begin(), model.workers.end(),
          [&](const EngineStatus::Worker& worker) { return StateName(worker) == state; });
      families->Gauge({{"model", model.model}, {"state", std::string(state)}},
                      static_cast<double>(workers));
    }
  }
}

// A worker's number is used again when it is gone, so there are not more of them than workers.
template <typename Reader>
void AddGpuValue(const std::vector<ModelWorkers>& models, const char* name, const char* help,
                 Reader read, MetricFamilies* families) {
  families->Begin(MetricType::Gauge, name, help);
  for (const ModelWorkers& model : models) {
    for (const EngineStatus::Worker& worker : model.workers) {
      if (!UsesGpu(worker)) continue;
      families->Gauge({{"model", model.model},
                       {"worker", std::to_string(worker.member.id)},
                       {"device", std::to_string(worker.member.role.device)}},
                      static_cast<double>(read(worker)));
    }
  }
}

}  // namespace

void AddWorkerMetrics(const std::vector<ModelWorkers>& models, MetricFamilies* families) {
  AddStates(models, families);
  const bool gpus = std::any_of(models.begin(), models.end(), [](const ModelWorkers& model) {
    return std::any_of(model.workers.begin(), model.workers.end(), UsesGpu);
  });
  if (!gpus) return;
  AddGpuValue(
      models, "escan_worker_device_memory_bytes", "Memory of its GPU that a worker process takes",
      [](const EngineStatus::Worker& worker) { return worker.device_memory; }, families);
  AddGpuValue(
      models, "escan_worker_multiprocessors",
      "Multiprocessors of its GPU that a worker process is shown",
      [](const EngineStatus::Worker& worker) { return worker.multiprocessors; }, families);
}

void AddMpsMetrics(const MpsReport& mps, MetricFamilies* families) {
  if (mps.mode == MpsConfig::Mode::kOff) return;
  families->Begin(MetricType::Gauge, "escan_mps_up",
                  "1: the MPS daemon runs and takes worker processes as clients");
  families->Gauge({}, mps.running ? 1 : 0);
  families->Begin(MetricType::Counter, "escan_mps_restarts_total",
                  "Starts of the MPS daemon in the place of one that ended");
  families->Counter({}, static_cast<double>(mps.restarts));
}

}  // namespace escan
