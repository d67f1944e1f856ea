#include "ctl/simulation_format.h"

#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "ctl/text_table.h"
#include "nlohmann/json.hpp"
#include "traffic/latency_format.h"

namespace escan::ctl {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kLeft = TextTable::Align::kLeft;
constexpr auto kRight = TextTable::Align::kRight;

std::string DurationText(Duration duration) {
  return absl::FormatDuration(absl::Trunc(absl::FromChrono(duration), absl::Microseconds(1)));
}

std::string PercentText(double part) { return absl::StrFormat("%.1f %%", 100 * part); }

std::vector<std::string> StageNames(const CascadeSpec& cascade, const WorkerGroup& group) {
  std::vector<std::string> names;
  for (const int stage : group.stages) {
    names.push_back(cascade.stages[static_cast<size_t>(stage)].name);
  }
  return names;
}

std::string LoadText(const SimulatedLoad& load) {
  std::string text;
  if (const auto* open = std::get_if<OpenLoad>(&load.pace)) {
    text = absl::StrFormat("open loop, %s arrivals at %g requests/s",
                           std::string(Name(open->arrivals)), open->rate);
  } else {
    text = absl::StrCat("closed loop, concurrency ", std::get<ClosedLoad>(load.pace).concurrency);
  }
  return absl::StrCat(text, ", ", load.rows, load.rows == 1 ? " row" : " rows", " a request (seed ",
                      load.seed, ")");
}

std::string AchievedText(const CascadeSpec& cascade, const SimulationReport& report) {
  std::string text = absl::StrFormat("%.1f samples/s", report.samples_per_second);
  if (cascade.latency_objective) {
    absl::StrAppendFormat(&text, ", of these %.1f samples/s within %s", report.goodput_per_second,
                          DurationText(*cascade.latency_objective));
  }
  return text;
}

std::string StageTable(const CascadeSpec& cascade, const SimulationReport& report) {
  TextTable table({{"STAGE", kLeft},
                   {"SAMPLES", kRight},
                   {"EXITED", kRight},
                   {"BATCHES", kRight},
                   {"MEAN BATCH", kRight},
                   {"MEAN STEP", kRight},
                   {"UTILISATION", kRight}});
  for (size_t i = 0; i < report.stages.size(); ++i) {
    const StageFigures& stage = report.stages[i];
    table.AddRow({cascade.stages[i].name, absl::StrCat(stage.samples), absl::StrCat(stage.exits),
                  absl::StrCat(stage.batches), absl::StrFormat("%.1f", stage.mean_rows()),
                  DurationText(stage.mean_step), PercentText(stage.utilisation)});
  }
  return table.ToString("  ");
}

std::string GroupTable(const SimulatedSystem& system, const SimulationReport& report) {
  TextTable table({{"WORKERS", kRight},
                   {"DEVICE", kRight},
                   {"THREADS", kRight},
                   {"CREDITS", kRight},
                   {"STAGES", kLeft},
                   {"UTILISATION", kRight}});
  for (size_t i = 0; i < system.plan.workers.size(); ++i) {
    const WorkerGroup& group = system.plan.workers[i];
    table.AddRow({absl::StrCat(group.count), absl::StrCat(group.device),
                  absl::StrCat(group.thread_percent, " %"), absl::StrCat(group.credits),
                  absl::StrJoin(StageNames(system.cascade, group), ","),
                  PercentText(report.group_utilisation[i])});
  }
  return table.ToString("  ");
}

double ToSeconds(Duration duration) { return Seconds(duration).count(); }

Json LoadJson(const SimulatedLoad& load) {
  Json json;
  if (const auto* open = std::get_if<OpenLoad>(&load.pace)) {
    json["loop"] = "open";
    json["arrivals"] = Name(open->arrivals);
    json["rate_requests_per_s"] = open->rate;
  } else {
    json["loop"] = "closed";
    json["concurrency"] = std::get<ClosedLoad>(load.pace).concurrency;
  }
  json["rows_per_request"] = load.rows;
  json["exit_ratios"] = load.exits.front().ratios;
  json["warmup_samples"] = load.warmup_samples;
  json["overhead_us"] = ToSeconds(load.overhead) * 1e6;
  json["seed"] = load.seed;
  return json;
}

Json StagesJson(const CascadeSpec& cascade, const SimulationReport& report) {
  Json json = Json::array();
  for (size_t i = 0; i < report.stages.size(); ++i) {
    const StageFigures& stage = report.stages[i];
    json.push_back({{"name", cascade.stages[i].name},
                    {"samples", stage.samples},
                    {"exits", stage.exits},
                    {"batches", stage.batches},
                    {"mean_batch_rows", stage.mean_rows()},
                    {"mean_step_us", ToSeconds(stage.mean_step) * 1e6},
                    {"utilisation", stage.utilisation}});
  }
  return json;
}

Json GroupsJson(const SimulatedSystem& system, const SimulationReport& report) {
  Json json = Json::array();
  for (size_t i = 0; i < system.plan.workers.size(); ++i) {
    const WorkerGroup& group = system.plan.workers[i];
    json.push_back({{"count", group.count},
                    {"device", group.device},
                    {"thread_percent", group.thread_percent},
                    {"credits", group.credits},
                    {"stages", StageNames(system.cascade, group)},
                    {"utilisation", report.group_utilisation[i]}});
  }
  return json;
}

}  // namespace

std::string FormatSimulation(const SimulatedSystem& system, const SimulatedLoad& load,
                             const SimulationReport& report) {
  const RequestFigures& requests = report.requests;
  std::string text = absl::StrFormat(
      "cascade     %s, simulated for %s\n"
      "load        %s\n"
      "requests    %d sent, %d served, %d refused, %d past their deadline\n"
      "achieved    %s\n",
      system.cascade.name, DurationText(report.elapsed), LoadText(load), requests.sent,
      requests.served, requests.refused, requests.deadline_exceeded,
      AchievedText(system.cascade, report));
  if (requests.served > 0) {
    absl::StrAppend(&text, "latency ms  ", LatencyText(report.latency), "\n");
  }
  return absl::StrCat(text, "\n", StageTable(system.cascade, report), "\n",
                      GroupTable(system, report));
}

std::string FormatSimulationJson(const SimulatedSystem& system, const SimulatedLoad& load,
                                 const SimulationReport& report) {
  const RequestFigures& requests = report.requests;
  const Json json = {
      {"model", system.cascade.name},
      {"load", LoadJson(load)},
      {"elapsed_s", ToSeconds(report.elapsed)},
      {"requests",
       {{"sent", requests.sent},
        {"served", requests.served},
        {"refused", requests.refused},
        {"deadline_exceeded", requests.deadline_exceeded}}},
      {"samples", report.samples},
      {"achieved_samples_per_s", report.samples_per_second},
      {"goodput_samples_per_s", report.goodput_per_second},
      {"latency_ms", requests.served > 0 ? LatencyJson(report.latency) : Json(nullptr)},
      {"stages", StagesJson(system.cascade, report)},
      {"workers", GroupsJson(system, report)}};
  return json.dump(2) + "\n";
}

}  // namespace escan::ctl
