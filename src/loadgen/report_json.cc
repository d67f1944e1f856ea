#include "loadgen/report_json.h"

#include <cstddef>
#include <optional>
#include <utility>
#include <variant>

#include "loadgen/figures.h"
#include "nlohmann/json.hpp"
#include "traffic/latency_format.h"

namespace escan::loadgen {
namespace {

using nlohmann::ordered_json;

ordered_json ExitsJson(const Report& report) {
  ordered_json exits = ordered_json::array();
  for (const auto& [stage, count] : report.exits) {
    ordered_json exit = {{"stage", stage},
                         {"samples", count.samples},
                         {"share", Ratio(count.samples, report.samples)}};
    if (report.run.labelled) exit["accuracy"] = Ratio(count.correct, count.samples);
    exits.push_back(std::move(exit));
  }
  return exits;
}

ordered_json SegmentsJson(const Report& report) {
  ordered_json segments = ordered_json::array();
  for (size_t i = 0; i < report.exits_by_segment.size(); ++i) {
    const ExitSegment& segment = report.run.exits.segments()[i];
    ordered_json exits = ordered_json::array();
    for (const auto& [stage, exit] : CompareSegment(segment, report.exits_by_segment[i])) {
      exits.push_back({{"stage", stage},
                       {"samples", exit.samples},
                       {"share", exit.share},
                       {"target_share", exit.target_share}});
    }
    segments.push_back({{"start_s", Seconds(segment.start).count()}, {"exits", std::move(exits)}});
  }
  return segments;
}

ordered_json ErrorsJson(const Report& report) {
  ordered_json errors = ordered_json::array();
  for (const auto& [code, error] : report.errors) {
    errors.push_back(
        {{"code", code}, {"count", error.count}, {"first_message", error.first_message}});
  }
  return errors;
}

ordered_json ComparedJson(const ComparedSamples& compared) {
  return {{"right", compared.right},
          {"wrong", compared.wrong},
          {"unknown", compared.unknown},
          {"first_wrong",
           compared.wrong > 0 ? ordered_json(compared.first_wrong) : ordered_json(nullptr)}};
}

ordered_json RunJson(const RunDescription& run) {
  ordered_json json = {{"target", run.target}, {"model", run.model}};
  if (const auto* open = std::get_if<OpenLoop>(&run.pace)) {
    json["loop"] = "open";
    json["arrivals"] = Name(open->arrivals);
    if (open->rate > 0) json["rate_requests_per_s"] = open->rate;
    json["seed"] = open->seed;
  } else {
    json["loop"] = "closed";
    json["concurrency"] = std::get<ClosedLoop>(run.pace).concurrency;
  }
  json["rows_per_request"] = run.rows_per_request;
  json["channels"] = run.connections;
  json["threads"] = run.threads;
  return json;
}

ordered_json ServiceLevelJson(const Report& report) {
  const ServiceLevel& level = *report.service_level;
  ordered_json objectives = ordered_json::array();
  for (const ObjectiveFigures& objective : level.objectives) {
    const Rate goodput = Goodput(report, objective);
    objectives.push_back({{"p99_ms", Milliseconds(objective.p99)},
                          {"within", objective.within},
                          {"goodput_requests_per_s", goodput.requests},
                          {"goodput_samples_per_s", goodput.samples},
                          {"kept", objective.kept}});
  }
  return {{"p99_with_misses_ms",
           level.p99 ? ordered_json(Milliseconds(*level.p99)) : ordered_json(nullptr)},
          {"first_half_p50_ms", Milliseconds(level.first_half_p50)},
          {"second_half_p50_ms", Milliseconds(level.second_half_p50)},
          {"steady", level.steady},
          {"objectives", std::move(objectives)}};
}

ordered_json TimelineJson(const Report& report) {
  ordered_json timeline = ordered_json::array();
  for (const TimelineInterval& interval : report.timeline) {
    timeline.push_back({{"start_s", Seconds(interval.start).count()},
                        {"succeeded", interval.succeeded},
                        {"within", interval.within},
                        {"p99_ms", Milliseconds(interval.p99)}});
  }
  return timeline;
}

ordered_json ReportJson(const Report& report) {
  ordered_json json = RunJson(report.run);
  json["interrupted"] = report.interrupted;
  json["gave_up"] = report.gave_up;
  json["elapsed_s"] = Seconds(report.elapsed).count();
  json["requests"] = {{"sent", report.sent},
                      {"succeeded", report.succeeded},
                      {"failed", report.failed},
                      {"not_sent_outstanding", report.not_sent.outstanding},
                      {"not_sent_late", report.not_sent.late}};
  json["samples"] = report.samples;
  if (report.offered) {
    json["offered_requests_per_s"] = report.offered->requests;
    json["offered_samples_per_s"] = report.offered->samples;
  }
  json["achieved_requests_per_s"] = report.achieved.requests;
  json["achieved_samples_per_s"] = report.achieved.samples;
  json["latency_ms"] = report.succeeded > 0 ? LatencyJson(report.latency) : ordered_json(nullptr);
  if (report.service_level) json["service_level"] = ServiceLevelJson(report);
  if (!report.timeline.empty()) json["timeline"] = TimelineJson(report);
  if (!report.exits.empty()) json["exits"] = ExitsJson(report);
  if (!report.exits_by_segment.empty()) {
    json["exit_segments"] = SegmentsJson(report);
    json["misplaced_samples"] = report.misplaced;
  }
  if (report.run.labelled) {
    json["accuracy"] = report.samples > 0 ? ordered_json(Ratio(report.correct, report.samples))
                                          : ordered_json(nullptr);
    json["correct"] = report.correct;
  }
  if (report.run.compared) json["compared_samples"] = ComparedJson(report.compared);
  json["errors"] = ErrorsJson(report);
  if (report.lateness) {
    json["send_lateness_ms"] = LatencyJson(*report.lateness);
    json["generator_was_late"] = GeneratorWasLate(report);
  }
  json["generator_cpu_s"] = Seconds(report.cpu).count();
  return json;
}

ordered_json RateJson(const std::optional<double>& rate) {
  return rate ? ordered_json(*rate) : ordered_json(nullptr);
}

ordered_json ObjectiveRateJson(const MaxRateReport& report, const ObjectiveRate& objective) {
  const Rate goodput = GoodputAtMaxRate(report, objective);
  const std::optional<double>& kept = objective.bracket.kept;
  return {{"p99_ms", Milliseconds(objective.p99)},
          {"max_rate_requests_per_s", RateJson(kept)},
          {"max_rate_samples_per_s",
           kept ? ordered_json(*kept * report.run.rows_per_request) : ordered_json(nullptr)},
          {"missed_rate_requests_per_s", RateJson(objective.bracket.missed)},
          {"settled", objective.settled},
          {"goodput_requests_per_s", goodput.requests},
          {"goodput_samples_per_s", goodput.samples}};
}

// Messages of a server may hold anything.
std::string Print(const ordered_json& json) {
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string ToJson(const Report& report) { return Print(ReportJson(report)); }

std::string ToJson(const MaxRateReport& report) {
  ordered_json json = RunJson(report.run);
  json["interrupted"] = report.interrupted;
  json["elapsed_s"] = Seconds(report.elapsed).count();
  json["objectives"] = ordered_json::array();
  for (const ObjectiveRate& objective : report.objectives) {
    json["objectives"].push_back(ObjectiveRateJson(report, objective));
  }
  json["probes"] = ordered_json::array();
  for (const Report& probe : report.probes) json["probes"].push_back(ReportJson(probe));
  return Print(json);
}

}  // namespace escan::loadgen
