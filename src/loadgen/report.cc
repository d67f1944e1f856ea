#include "loadgen/report.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "load/latency_format.h"
#include "nlohmann/json.hpp"

namespace escan::loadgen {
namespace {

double Milliseconds(Duration duration) { return Seconds(duration).count() * 1e3; }

double Ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }
double Ratio(int64_t part, int64_t whole) {
  return Ratio(static_cast<double>(part), static_cast<double>(whole));
}

std::string Percent(double ratio) { return absl::StrFormat("%.2f %%", 100 * ratio); }

std::string PaceText(const RunDescription& run) {
  if (const auto* open = std::get_if<OpenLoop>(&run.pace)) {
    return absl::StrFormat("open loop, %s arrivals at %g requests/s (seed %u)",
                           open->arrivals == Arrivals::kPoisson ? "Poisson" : "constant",
                           open->rate, open->seed);
  }
  return absl::StrFormat("closed loop, concurrency %d", std::get<ClosedLoop>(run.pace).concurrency);
}

std::string Line(std::string_view name, std::string_view value) {
  return absl::StrFormat("%-14s%s\n", name, value);
}

std::string RateText(const Rate& rate) {
  return absl::StrFormat("%10.1f requests/s  %10.1f samples/s", rate.requests, rate.samples);
}

std::string RequestsText(const Report& report) {
  std::string text = absl::StrFormat("%d sent, %d succeeded, %d failed", report.sent,
                                     report.succeeded, report.failed);
  if (report.not_sent.outstanding > 0) {
    absl::StrAppendFormat(&text, ", %d not sent (too many outstanding)",
                          report.not_sent.outstanding);
  }
  if (report.not_sent.late > 0) {
    absl::StrAppendFormat(&text, ", %d not sent (generator too late)", report.not_sent.late);
  }
  return text;
}

std::string ExitsText(const Report& report) {
  std::string text;
  for (const auto& [stage, count] : report.exits) {
    std::string value = absl::StrFormat("%10d samples  %8s", count.samples,
                                        Percent(Ratio(count.samples, report.samples)));
    if (report.run.labelled) {
      absl::StrAppend(&value, "  accuracy ", Percent(Ratio(count.correct, count.samples)));
    }
    text += Line(absl::StrCat("exit ", stage), value);
  }
  return text;
}

// The stages that samples were meant for, and those at which some exited.
struct SegmentExit {
  int64_t samples = 0;
  double share = 0;
  double target_share = 0;
};

std::map<int, SegmentExit> CompareSegment(const ExitSegment& segment, const ExitCounts& counts) {
  std::map<int, SegmentExit> exits;
  int stage = 0;
  for (const double share : ExitShares(segment.ratios)) exits[++stage].target_share = share;
  int64_t samples = 0;
  for (const auto& [exit, count] : counts) samples += count.samples;
  for (const auto& [exit, count] : counts) {
    exits[exit].samples = count.samples;
    exits[exit].share = Ratio(count.samples, samples);
  }
  return exits;
}

std::string SegmentsText(const Report& report) {
  std::string text;
  for (size_t i = 0; i < report.exits_by_segment.size(); ++i) {
    const ExitSegment& segment = report.run.exits.segments()[i];
    std::string value;
    for (const auto& [stage, exit] : CompareSegment(segment, report.exits_by_segment[i])) {
      absl::StrAppendFormat(&value, "%sexit %d %s (asked %s)", value.empty() ? "" : "  ", stage,
                            Percent(exit.share), Percent(exit.target_share));
    }
    if (report.exits_by_segment[i].empty()) value = "no sample";
    text += Line(absl::StrFormat("from %g s", Seconds(segment.start).count()), value);
  }
  return text;
}

std::string ErrorsText(const Report& report) {
  std::string text;
  for (const auto& [code, error] : report.errors) {
    text += Line("error", absl::StrCat(error.count, " ", code, ": ", error.first_message));
  }
  return text;
}

nlohmann::ordered_json ExitsJson(const Report& report) {
  nlohmann::ordered_json exits = nlohmann::ordered_json::array();
  for (const auto& [stage, count] : report.exits) {
    nlohmann::ordered_json exit = {{"stage", stage},
                                   {"samples", count.samples},
                                   {"share", Ratio(count.samples, report.samples)}};
    if (report.run.labelled) exit["accuracy"] = Ratio(count.correct, count.samples);
    exits.push_back(std::move(exit));
  }
  return exits;
}

nlohmann::ordered_json SegmentsJson(const Report& report) {
  nlohmann::ordered_json segments = nlohmann::ordered_json::array();
  for (size_t i = 0; i < report.exits_by_segment.size(); ++i) {
    const ExitSegment& segment = report.run.exits.segments()[i];
    nlohmann::ordered_json exits = nlohmann::ordered_json::array();
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

nlohmann::ordered_json ErrorsJson(const Report& report) {
  nlohmann::ordered_json errors = nlohmann::ordered_json::array();
  for (const auto& [code, error] : report.errors) {
    errors.push_back(
        {{"code", code}, {"count", error.count}, {"first_message", error.first_message}});
  }
  return errors;
}

nlohmann::ordered_json RunJson(const RunDescription& run) {
  nlohmann::ordered_json json = {{"target", run.target}, {"model", run.model}};
  if (const auto* open = std::get_if<OpenLoop>(&run.pace)) {
    json["loop"] = "open";
    json["arrivals"] = Name(open->arrivals);
    json["rate_requests_per_s"] = open->rate;
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

}  // namespace

Report BuildReport(const RunDescription& run, Outcome outcome) {
  const Tally& tally = outcome.tally;
  Report report{.run = run,
                .interrupted = outcome.interrupted,
                .elapsed = outcome.elapsed,
                .cpu = outcome.cpu,
                .sent = tally.succeeded() + tally.failed(),
                .succeeded = tally.succeeded(),
                .failed = tally.failed(),
                .not_sent = outcome.not_sent,
                .samples = tally.samples(),
                .correct = tally.correct(),
                .latency = Summarize(tally.latencies()),
                .exits = tally.exits(),
                .errors = tally.errors()};
  for (size_t i = 0; i < run.exits.segments().size(); ++i) {
    report.exits_by_segment.push_back(tally.exits_in(static_cast<int>(i)));
  }
  const double elapsed = Seconds(outcome.elapsed).count();
  report.achieved = {Ratio(static_cast<double>(report.succeeded), elapsed),
                     Ratio(static_cast<double>(report.samples), elapsed)};
  if (std::holds_alternative<OpenLoop>(run.pace)) {
    const int64_t due = report.sent + report.not_sent.outstanding + report.not_sent.late;
    const double rate = Ratio(static_cast<double>(due), Seconds(outcome.schedule_span).count());
    report.offered = Rate{rate, rate * run.rows_per_request};
    report.lateness = Summarize(std::move(outcome.lateness));
  }
  return report;
}

bool GeneratorWasLate(const Report& report) {
  return report.lateness && report.lateness->p99 > std::chrono::milliseconds(1) &&
         report.lateness->p99 > report.latency.p99 / 10;
}

std::string ToText(const Report& report) {
  const RunDescription& run = report.run;
  std::string text = Line("target", absl::StrCat(run.target, ", model ", run.model));
  text += Line("load", absl::StrCat(PaceText(run), ", ", run.rows_per_request,
                                    run.rows_per_request == 1 ? " row" : " rows", " a request, ",
                                    run.connections, " channels"));
  text += Line("measured", absl::StrFormat("%.3f s%s", Seconds(report.elapsed).count(),
                                           report.interrupted ? " (interrupted)" : ""));
  text += Line("requests", RequestsText(report));
  if (report.offered) text += Line("offered", RateText(*report.offered));
  text += Line("achieved", RateText(report.achieved));
  if (report.succeeded > 0) text += Line("latency ms", LatencyText(report.latency));
  text += ExitsText(report);
  text += SegmentsText(report);
  if (run.labelled && report.samples > 0) {
    text += Line("accuracy", absl::StrCat(Percent(Ratio(report.correct, report.samples)), " (",
                                          report.correct, " of ", report.samples, ")"));
  }
  text += ErrorsText(report);
  if (report.lateness) {
    text += Line(
        "lateness ms",
        absl::StrFormat("p50 %.3f  p99 %.3f  max %.3f", Milliseconds(report.lateness->p50),
                        Milliseconds(report.lateness->p99), Milliseconds(report.lateness->max)));
  }
  text += Line(
      "generator",
      absl::StrFormat("%.3f CPU s, %.1f us a request", Seconds(report.cpu).count(),
                      Ratio(Seconds(report.cpu).count() * 1e6, static_cast<double>(report.sent))));
  if (GeneratorWasLate(report)) {
    text += Line("warning", "the generator sent late: its machine is too busy for this rate");
  }
  return text;
}

std::string ToJson(const Report& report) {
  nlohmann::ordered_json json = RunJson(report.run);
  json["interrupted"] = report.interrupted;
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
  json["latency_ms"] =
      report.succeeded > 0 ? LatencyJson(report.latency) : nlohmann::ordered_json(nullptr);
  if (!report.exits.empty()) json["exits"] = ExitsJson(report);
  if (!report.exits_by_segment.empty()) json["exit_segments"] = SegmentsJson(report);
  if (report.run.labelled) {
    json["accuracy"] = report.samples > 0
                           ? nlohmann::ordered_json(Ratio(report.correct, report.samples))
                           : nlohmann::ordered_json(nullptr);
    json["correct"] = report.correct;
  }
  json["errors"] = ErrorsJson(report);
  if (report.lateness) {
    json["send_lateness_ms"] = LatencyJson(*report.lateness);
    json["generator_was_late"] = GeneratorWasLate(report);
  }
  json["generator_cpu_s"] = Seconds(report.cpu).count();
  // Messages of a server may hold anything.
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string ToLine(const RunProgress& before, const RunProgress& now) {
  const double rate = Ratio(static_cast<double>(now.answered - before.answered),
                            Seconds(now.elapsed - before.elapsed).count());
  std::string line = absl::StrFormat("%.1f s  %.0f answers/s  %d in flight  %d failed  p99 %.2f ms",
                                     Seconds(now.elapsed).count(), rate, now.in_flight, now.failed,
                                     Milliseconds(now.p99));
  if (now.not_sent > 0) absl::StrAppend(&line, "  ", now.not_sent, " not sent");
  return line;
}

}  // namespace escan::loadgen
