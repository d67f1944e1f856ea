#include "loadgen/report.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "loadgen/figures.h"
#include "traffic/latency_format.h"

namespace escan::loadgen {
namespace {

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

std::string ObjectivesText(const Report& report) {
  if (!report.service_level) return {};
  std::string text;
  for (const ObjectiveFigures& objective : report.service_level->objectives) {
    text += Line(absl::StrCat("p99 ", absl::FormatDuration(absl::FromChrono(objective.p99))),
                 absl::StrCat(RateText(Goodput(report, objective)), "  ",
                              objective.kept ? "kept" : "missed"));
  }
  if (!report.service_level->steady) {
    text += Line("warning", "latency grew all the time: the rate is more than the server can do");
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
  if (report.misplaced > 0) {
    text += Line("warning", absl::StrCat(report.misplaced, " samples left at another stage than ",
                                         "their difficulty says"));
  }
  return text;
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

std::string ComparedText(const Report& report) {
  if (!report.run.compared) return {};
  const ComparedSamples& compared = report.compared;
  std::string text = Line("compared", absl::StrCat(compared.right + compared.wrong, " samples, ",
                                                   compared.wrong, " wrong"));
  if (compared.wrong > 0) text += Line("first wrong", compared.first_wrong);
  if (compared.unknown > 0) {
    text += Line("warning", absl::StrCat(compared.unknown, " samples were answered by a stage of ",
                                         "which no right answer is known"));
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

}  // namespace

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

Rate Goodput(const Report& report, const ObjectiveFigures& objective) {
  const double span = Seconds(report.schedule_span).count();
  return {Ratio(static_cast<double>(objective.within), span),
          Ratio(static_cast<double>(objective.samples), span)};
}

Report BuildReport(const RunDescription& run, Outcome outcome) {
  const Tally& tally = outcome.tally;
  Report report{.run = run,
                .interrupted = outcome.interrupted,
                .gave_up = outcome.gave_up,
                .elapsed = outcome.elapsed,
                .schedule_span = outcome.schedule_span,
                .cpu = outcome.cpu,
                .sent = tally.succeeded() + tally.failed(),
                .succeeded = tally.succeeded(),
                .failed = tally.failed(),
                .not_sent = outcome.not_sent,
                .samples = tally.samples(),
                .correct = tally.correct(),
                .misplaced = tally.misplaced(),
                .compared = tally.compared(),
                .latency = Summarize(tally.latencies()),
                .exits = tally.exits(),
                .errors = tally.errors()};
  for (size_t i = 0; i < run.exits.segments().size(); ++i) {
    report.exits_by_segment.push_back(tally.exits_in(static_cast<int>(i)));
  }
  const double elapsed = Seconds(outcome.elapsed).count();
  report.achieved = {Ratio(static_cast<double>(report.succeeded), elapsed),
                     Ratio(static_cast<double>(report.samples), elapsed)};
  const int64_t due = report.sent + report.not_sent.outstanding + report.not_sent.late;
  const ReportOptions& wanted = run.wanted;
  if (!wanted.objectives.empty()) {
    report.service_level =
        Judge(tally.answers(), {.count = due, .span = outcome.schedule_span}, wanted.objectives);
  }
  if (wanted.timeline > Duration::zero()) {
    report.timeline = DivideIntoIntervals(tally.answers(), outcome.schedule_span, wanted.timeline,
                                          wanted.objectives);
  }
  if (std::holds_alternative<OpenLoop>(run.pace)) {
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
  text += ObjectivesText(report);
  text += ExitsText(report);
  text += SegmentsText(report);
  if (run.labelled && report.samples > 0) {
    text += Line("accuracy", absl::StrCat(Percent(Ratio(report.correct, report.samples)), " (",
                                          report.correct, " of ", report.samples, ")"));
  }
  text += ComparedText(report);
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
