#include "server/metrics/metrics_collector.h"

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "server/metrics/metric_families.h"
#include "server/metrics/monitoring_metrics.h"
#include "server/metrics/worker_metrics.h"

namespace escan {
namespace {

using prometheus::MetricType;

// What was read of one cascade, at one moment.
struct Reading {
  std::shared_ptr<ServedModel> model;
  RequestCounters::Snapshot requests;
  EngineStatus status;
};

MetricLabels ModelLabel(const Reading& reading) {
  return {{"model", reading.model->cascade().name}};
}

MetricLabels StageLabels(const Reading& reading, size_t stage) {
  return {{"model", reading.model->cascade().name},
          {"stage", reading.model->cascade().stages[stage].name}};
}

void AddOutcomes(const std::string& model, const RequestCounters::Snapshot& requests,
                 MetricFamilies* families) {
  for (size_t code = 0; code < requests.requests.size(); ++code) {
    if (requests.requests[code] == 0) continue;
    const std::string outcome =
        absl::AsciiStrToLower(absl::StatusCodeToString(static_cast<absl::StatusCode>(code)));
    families->Counter({{"model", model}, {"outcome", outcome}},
                      static_cast<double>(requests.requests[code]));
  }
}

void AddRequests(const std::vector<Reading>& readings, const RequestCounters::Snapshot& unrouted,
                 MetricFamilies* families) {
  families->Begin(MetricType::Counter, "escan_requests_total",
                  "Requests by status code; those for no known model have an empty label");
  for (const Reading& reading : readings) {
    AddOutcomes(reading.model->cascade().name, reading.requests, families);
  }
  AddOutcomes("", unrouted, families);
  families->Begin(MetricType::Histogram, "escan_request_duration_seconds",
                  "Time from a request's arrival to its answer, of the requests that succeeded");
  for (const Reading& reading : readings) {
    families->Histogram(ModelLabel(reading), kLatencyBounds, reading.requests.latency);
  }
}

using StageReader = double (*)(const EngineStatus::Stage& stage);

struct StageMetric {
  MetricType type;
  const char* name;
  const char* help;
  StageReader read;
};

constexpr std::array<StageMetric, 13> kStageMetrics = {{
    {MetricType::Counter, "escan_stage_samples_total",
     "Samples that a stage executed, speculative and replayed ones included",
     [](const auto& stage) { return static_cast<double>(stage.statistics.samples_executed); }},
    {MetricType::Counter, "escan_stage_exits_total", "Samples that were answered at a stage",
     [](const auto& stage) { return static_cast<double>(stage.statistics.samples_exited); }},
    {MetricType::Counter, "escan_stage_failures_total",
     "Samples that a stage's model threw on, or that ended two of its workers",
     [](const auto& stage) { return static_cast<double>(stage.statistics.samples_failed); }},
    {MetricType::Counter, "escan_stage_score_nan_total",
     "Samples that a stage was to score, and whose score is NaN, which never exits",
     [](const auto& stage) { return static_cast<double>(stage.statistics.score_nan); }},
    {MetricType::Counter, "escan_answers_checked_total",
     "Samples whose answer at a stage was computed once more and compared",
     [](const auto& stage) { return static_cast<double>(stage.statistics.answers_checked); }},
    {MetricType::Counter, "escan_answers_doubtful_total",
     "Samples that workers computed differently at a stage, nobody knows which one wrongly",
     [](const auto& stage) { return static_cast<double>(stage.statistics.answers_doubtful); }},
    {MetricType::Gauge, "escan_stage_exit_ratio",
     "Estimated part of the samples reaching a stage that leave there, over a sliding window",
     [](const auto& stage) { return stage.statistics.exits.estimate().ratio(); }},
    {MetricType::Gauge, "escan_stage_exit_ratio_lower_bound",
     "Below which the exit ratio does not lie, with a confidence of 95 %",
     [](const auto& stage) { return stage.statistics.exits.estimate().interval().low; }},
    {MetricType::Gauge, "escan_stage_exit_ratio_upper_bound",
     "Above which the exit ratio does not lie, with a confidence of 95 %",
     [](const auto& stage) { return stage.statistics.exits.estimate().interval().high; }},
    {MetricType::Gauge, "escan_stage_exit_ratio_samples",
     "Samples that the estimate of the exit ratio is made from",
     [](const auto& stage) {
       return static_cast<double>(stage.statistics.exits.estimate().reached);
     }},
    {MetricType::Gauge, "escan_stage_queue_depth", "Samples that wait at a stage",
     [](const auto& stage) { return static_cast<double>(stage.queued); }},
    {MetricType::Gauge, "escan_stage_in_flight", "Samples of a stage that workers hold",
     [](const auto& stage) { return static_cast<double>(stage.in_flight); }},
    {MetricType::Gauge, "escan_stage_ready_workers", "Ready workers that host a stage",
     [](const auto& stage) { return static_cast<double>(stage.ready_workers); }},
}};

void AddStageValues(const std::vector<Reading>& readings, MetricFamilies* families) {
  for (const StageMetric& metric : kStageMetrics) {
    families->Begin(metric.type, metric.name, metric.help);
    for (const Reading& reading : readings) {
      for (size_t i = 0; i < reading.status.stages.size(); ++i) {
        const double value = metric.read(reading.status.stages[i]);
        if (metric.type == MetricType::Counter) {
          families->Counter(StageLabels(reading, i), value);
        } else {
          families->Gauge(StageLabels(reading, i), value);
        }
      }
    }
  }
}

template <typename Bounds, typename Member>
void AddStageHistogram(const std::vector<Reading>& readings, const char* name, const char* help,
                       const Bounds& bounds, Member member, MetricFamilies* families) {
  families->Begin(MetricType::Histogram, name, help);
  for (const Reading& reading : readings) {
    for (size_t i = 0; i < reading.status.stages.size(); ++i) {
      families->Histogram(StageLabels(reading, i), bounds,
                          reading.status.stages[i].statistics.*member);
    }
  }
}

void AddStageHistograms(const std::vector<Reading>& readings, MetricFamilies* families) {
  AddStageHistogram(readings, "escan_stage_batch_rows", "Rows of the batches that a stage executed",
                    kBatchBounds, &StageStatistics::batch_rows, families);
  AddStageHistogram(readings, "escan_stage_step_seconds",
                    "Time of a batch from its dispatch to its result", kLatencyBounds,
                    &StageStatistics::step_time, families);
  AddStageHistogram(readings, "escan_stage_queue_seconds",
                    "Time of a sample from being queued at a stage to its dispatch", kLatencyBounds,
                    &StageStatistics::queue_time, families);
}

std::string NamesOf(const Reading& reading, const std::vector<int>& stages) {
  return absl::StrJoin(stages, ",", [&](std::string* out, int stage) {
    out->append(reading.model->cascade().stages[static_cast<size_t>(stage)].name);
  });
}

void AddWrongAnswers(const std::vector<Reading>& readings, MetricFamilies* families) {
  families->Begin(MetricType::Counter, "escan_answers_wrong_total",
                  "Samples of a stage that a worker was found to compute wrongly");
  for (const Reading& reading : readings) {
    for (const WorkerAnswers& answers : reading.status.answers) {
      MetricLabels labels = StageLabels(reading, static_cast<size_t>(answers.stage));
      labels.push_back({"worker", std::to_string(answers.worker)});
      families->Counter(std::move(labels), static_cast<double>(answers.wrong));
    }
  }
  families->Begin(MetricType::Gauge, "escan_doubtful_shares",
                  "Workers of a share of a device that were replaced for wrong answers");
  for (const Reading& reading : readings) {
    for (const DoubtfulShare& share : reading.status.doubtful_shares) {
      families->Gauge({{"model", reading.model->cascade().name},
                       {"device", std::to_string(share.device)},
                       {"thread_percent", std::to_string(share.thread_percent)},
                       {"stages", NamesOf(reading, share.stages)}},
                      share.replaced);
    }
  }
}

void AddArrivals(const std::vector<Reading>& readings, MetricFamilies* families) {
  families->Begin(MetricType::Gauge, "escan_arrival_rate_samples_per_second",
                  "Estimated rate at which samples arrive, admitted or refused");
  for (const Reading& reading : readings) {
    families->Gauge(ModelLabel(reading), reading.status.arrivals.samples_per_second);
  }
  families->Begin(MetricType::Counter, "escan_offered_samples_total",
                  "Samples that arrived, admitted or refused");
  for (const Reading& reading : readings) {
    families->Counter(ModelLabel(reading),
                      static_cast<double>(reading.status.arrivals.offered_samples));
  }
  families->Begin(MetricType::Counter, "escan_refused_samples_total",
                  "Samples that were refused because no slots were free");
  for (const Reading& reading : readings) {
    families->Counter(ModelLabel(reading),
                      static_cast<double>(reading.status.arrivals.refused_samples));
  }
}

void AddEngineValues(const std::vector<Reading>& readings, MetricFamilies* families) {
  families->Begin(MetricType::Gauge, "escan_slots", "Samples that may be inside at the same time");
  for (const Reading& reading : readings) {
    families->Gauge(ModelLabel(reading), reading.status.slots);
  }
  families->Begin(MetricType::Gauge, "escan_slots_in_use", "Slots that hold a sample");
  for (const Reading& reading : readings) {
    families->Gauge(ModelLabel(reading), reading.status.slots_in_use);
  }
  families->Begin(MetricType::Gauge, "escan_brown_out_level",
                  "How far thresholds are lowered for overload: 0 not at all, 4 as far as allowed");
  for (const Reading& reading : readings) {
    if (reading.model->cascade().lowest_thresholds.empty()) continue;
    families->Gauge(ModelLabel(reading), reading.status.brown_out);
  }
  families->Begin(MetricType::Counter, "escan_brown_out_steps_total",
                  "Steps by which thresholds were lowered for overload, or raised again");
  for (const Reading& reading : readings) {
    if (reading.model->cascade().lowest_thresholds.empty()) continue;
    families->Counter(ModelLabel(reading), static_cast<double>(reading.status.brown_out_steps));
  }
  families->Begin(MetricType::Counter, "escan_worker_restarts_total",
                  "Starts of worker processes in the place of ones that ended");
  for (const Reading& reading : readings) {
    families->Counter(ModelLabel(reading), static_cast<double>(reading.status.worker_restarts));
  }
  families->Begin(MetricType::Counter, "escan_plan_changes_total",
                  "Plans that were put into effect after the first");
  for (const Reading& reading : readings) {
    families->Counter(ModelLabel(reading), static_cast<double>(reading.status.plan_changes));
  }
}

void AddPlanDecisions(const std::vector<Reading>& readings, const ControlLoop& controller,
                      MetricFamilies* families) {
  families->Begin(
      MetricType::Counter, "escan_plan_decisions_total",
      "Searches for a better plan, by what came of them; of plans that follow the load");
  for (const Reading& reading : readings) {
    const std::string& model = reading.model->cascade().name;
    if (controller.mode(model) == ControlLoop::Mode::kFixed) continue;
    const ControlLoop::Counts counts = controller.counts(model);
    for (const PlanAction action : kPlanActions) {
      families->Counter({{"model", model}, {"action", std::string(Name(action))}},
                        static_cast<double>(counts[static_cast<size_t>(action)]));
    }
  }
}

std::vector<MonitoredStage> Monitored(const std::vector<Reading>& readings) {
  std::vector<MonitoredStage> stages;
  for (const Reading& reading : readings) {
    const std::vector<StageAccuracy> accuracy = reading.model->feedback.accuracy();
    for (size_t i = 0; i < reading.status.stages.size(); ++i) {
      stages.push_back({.labels = StageLabels(reading, i),
                        .audits = reading.status.stages[i].audits,
                        .drift = reading.status.stages[i].statistics.drift,
                        .accuracy = accuracy[i]});
    }
  }
  return stages;
}

void AddClients(const ServerState& state, MetricFamilies* families) {
  const std::shared_ptr<const ClientRegistry> registry = state.clients();
  if (registry == nullptr) return;
  const auto add = [&](MetricType type, const char* name, const char* help, auto value) {
    families->Begin(type, name, help);
    for (const std::shared_ptr<Client>& client : registry->clients()) {
      const MetricLabels labels = {{"client", client->config().name}};
      const auto number = static_cast<double>(value(client->Read()));
      if (type == MetricType::Counter) {
        families->Counter(labels, number);
      } else {
        families->Gauge(labels, number);
      }
    }
  };
  using Counts = Client::Counts;
  add(MetricType::Counter, "escan_client_requests_total", "Requests of a client that were let in",
      [](const Counts& counts) { return counts.requests; });
  add(MetricType::Counter, "escan_client_rows_total", "Rows of these requests",
      [](const Counts& counts) { return counts.rows; });
  add(MetricType::Counter, "escan_client_refused_total",
      "Requests of a client that were refused because of its limits",
      [](const Counts& counts) { return counts.refused; });
  add(MetricType::Gauge, "escan_client_requests_inside", "Requests of a client that are inside",
      [](const Counts& counts) { return counts.inside; });
}

void AddRollout(const Rollout& rollout, MetricFamilies* families) {
  const Rollout::Report report = rollout.Read();
  const auto labels = [&](const std::string& version) {
    return MetricLabels{{"model", rollout.model()}, {"version", version}};
  };
  const auto add = [&](const char* name, const char* help, uint64_t before, uint64_t after) {
    families->Begin(MetricType::Gauge, name, help);
    families->Gauge(labels(rollout.version_before()), static_cast<double>(before));
    families->Gauge(labels(rollout.version_after()), static_cast<double>(after));
  };
  add("escan_rollout_requests", "Requests that a version answered since the last rollout began",
      report.before_answered, report.figures.answered);
  add("escan_rollout_errors", "Requests that a version failed for reasons of its own since then",
      report.before_errors, report.figures.errors);
  const MetricLabels model = {{"model", rollout.model()}};
  families->Begin(MetricType::Gauge, "escan_rollout_compared_rows",
                  "Rows that both versions of the last rollout answered");
  families->Gauge(model, static_cast<double>(report.figures.compared));
  families->Begin(MetricType::Gauge, "escan_rollout_agreeing_rows",
                  "Of them, those that both versions answered alike");
  families->Gauge(model, static_cast<double>(report.figures.agreeing));
  families->Begin(MetricType::Gauge, "escan_rollout_running", "1: the rollout is under way");
  families->Gauge(model, report.state == Rollout::State::kRunning ? 1 : 0);
}

std::vector<ModelWorkers> WorkersOf(const std::vector<Reading>& readings) {
  std::vector<ModelWorkers> models;
  for (const Reading& reading : readings) {
    models.push_back({.model = reading.model->cascade().name, .workers = reading.status.workers});
  }
  return models;
}

}  // namespace

std::vector<prometheus::MetricFamily> MetricsCollector::Collect() const {
  std::vector<Reading> readings;
  for (const std::shared_ptr<ServedModel>& model : state_->models()) {
    readings.push_back(
        {.model = model, .requests = model->counters.Read(), .status = model->engine->Status()});
  }
  MetricFamilies families;
  AddRequests(readings, state_->unrouted().Read(), &families);
  AddStageValues(readings, &families);
  AddStageHistograms(readings, &families);
  AddWrongAnswers(readings, &families);
  AddMonitoringMetrics(Monitored(readings), &families);
  AddArrivals(readings, &families);
  AddEngineValues(readings, &families);
  AddPlanDecisions(readings, *state_->controller(), &families);
  AddClients(*state_, &families);
  families.Begin(MetricType::Gauge, "escan_model_info",
                 "Always 1; the version of the cascade that new requests find is a label");
  for (const Reading& reading : readings) {
    MetricLabels labels = ModelLabel(reading);
    labels.push_back({"version", reading.model->version});
    families.Gauge(std::move(labels), 1);
  }
  if (const std::shared_ptr<Rollout> rollout = state_->rollout()) AddRollout(*rollout, &families);
  AddWorkerMetrics(WorkersOf(readings), &families);
  if (const std::optional<MpsReport> mps = state_->mps()) AddMpsMetrics(*mps, &families);
  families.Begin(MetricType::Counter, "escan_connections_refused_total",
                 "Connections that were closed because too many files are open");
  families.Counter({}, static_cast<double>(state_->refused_connections()));
  families.Begin(MetricType::Counter, "escan_log_lines_lost_total",
                 "Lines of the log that were dropped because nobody read them in time");
  families.Counter({}, static_cast<double>(state_->log_lines_lost()));
  families.Begin(MetricType::Gauge, "escan_ready",
                 "1: every stage of the model has a ready worker, and the server takes connections "
                 "and is not draining");
  for (const Reading& reading : readings) {
    families.Gauge(ModelLabel(reading), state_->ready(*reading.model) ? 1 : 0);
  }
  families.Begin(MetricType::Gauge, "escan_build_info", "Always 1; the version is a label");
  families.Gauge({{"version", ESCAN_VERSION}}, 1);
  return families.Take();
}

}  // namespace escan
