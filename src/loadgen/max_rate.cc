#include "loadgen/max_rate.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "loadgen/figures.h"
#include "traffic/latency_format.h"

namespace escan::loadgen {
namespace {

constexpr double kRequestsOfProbe = 500;  // a shorter probe is lengthened
constexpr int kMostLengthening = 4;       // times the duration asked for
// Misses that end a probe: more than are allowed of the requests that will be due, whose number
// chance decides.
constexpr double kHopeless = 1.2 * kMissesAllowed;
constexpr int64_t kLeastHopeless = 10;

LoadLimits LimitsOfProbe(const LoadLimits& limits, double rate, Duration loosest) {
  LoadLimits probe = limits;
  const Seconds wanted(kRequestsOfProbe / rate);
  const Seconds asked = *limits.duration;
  const Seconds length = std::clamp(wanted, asked, asked * kMostLengthening);
  probe.duration = std::chrono::duration_cast<Duration>(length);
  const auto misses = static_cast<int64_t>(kHopeless * rate * length.count());
  probe.misses = MissLimit{.latency = loosest, .misses = std::max(misses, kLeastHopeless)};
  return probe;
}

std::vector<bool> Kept(const Report& report) {
  std::vector<bool> kept;
  for (const ObjectiveFigures& objective : report.service_level->objectives) {
    kept.push_back(objective.kept);
  }
  return kept;
}

double RateOf(const Report& report) { return std::get<OpenLoop>(report.run.pace).rate; }

std::string ObjectiveName(Duration p99) {
  return absl::StrCat("p99=", absl::FormatDuration(absl::FromChrono(p99)));
}

ObjectiveRate Conclude(const RateSearch& search, size_t index, const MaxRateReport& report) {
  ObjectiveRate objective{.p99 = report.run.wanted.objectives[index],
                          .bracket = search.Bracket(index),
                          .settled = search.Settled(index)};
  for (size_t i = 0; i < report.probes.size(); ++i) {
    const Report& probe = report.probes[i];
    if (Kept(probe)[index] && RateOf(probe) == objective.bracket.kept) objective.probe = i;
  }
  return objective;
}

std::string ObjectiveText(const MaxRateReport& report, const ObjectiveRate& objective) {
  const auto& [kept, missed] = objective.bracket;
  std::string text = absl::StrFormat("%-14s", ObjectiveName(objective.p99));
  if (!kept) return absl::StrCat(text, "kept by no rate that was tried\n");
  const double rows = report.run.rows_per_request;
  absl::StrAppendFormat(&text, "%10.1f requests/s  %10.1f samples/s  goodput %.1f samples/s", *kept,
                        *kept * rows, GoodputAtMaxRate(report, objective).samples);
  if (missed) absl::StrAppendFormat(&text, "  missed at %.1f requests/s", *missed);
  if (!objective.settled) absl::StrAppend(&text, "  (not settled)");
  return text + "\n";
}

}  // namespace

MaxRateReport FindMaxRate(const MaxRateOptions& options, const RunDescription& run,
                          const LoadLimits& limits, const RunProbe& run_probe,
                          const OnProbe& on_probe) {
  const std::vector<Duration>& objectives = run.wanted.objectives;
  const Duration loosest = *std::max_element(objectives.begin(), objectives.end());
  const TimePoint start = Clock::now();
  MaxRateReport report{.run = run};
  RateSearch search({.objectives = objectives.size(),
                     .start_rate = options.start_rate,
                     .tolerance = options.tolerance});
  while (const std::optional<double> rate = search.Next()) {
    const LoadLimits probe_limits = LimitsOfProbe(limits, *rate, loosest);
    const Duration length = probe_limits.warmup + *probe_limits.duration;
    if (!report.probes.empty() && Clock::now() + length > start + options.max_time) break;
    Report probe = run_probe(*rate, probe_limits);
    report.interrupted = probe.interrupted;
    if (report.interrupted) break;
    report.probes.push_back(std::move(probe));
    on_probe(report.probes.size(), report.probes.back());
    search.Add({.rate = *rate, .kept = Kept(report.probes.back())});
  }
  report.elapsed = Clock::now() - start;
  for (size_t i = 0; i < objectives.size(); ++i) {
    report.objectives.push_back(Conclude(search, i, report));
  }
  return report;
}

Rate GoodputAtMaxRate(const MaxRateReport& report, const ObjectiveRate& objective) {
  if (!objective.probe) return {};
  const Report& probe = report.probes[*objective.probe];
  for (const ObjectiveFigures& figures : probe.service_level->objectives) {
    if (figures.p99 == objective.p99) return Goodput(probe, figures);
  }
  return {};
}

std::string ProbeLine(size_t number, const Report& report) {
  const ServiceLevel& level = *report.service_level;
  const int64_t due = report.sent + report.not_sent.outstanding + report.not_sent.late;
  std::string line = absl::StrFormat("probe %2d  %9.1f requests/s  p50 %8.3f ms  ", number,
                                     RateOf(report), Milliseconds(report.latency.p50));
  absl::StrAppend(&line, level.p99 ? absl::StrFormat("p99 %8.3f ms", Milliseconds(*level.p99))
                                   : "over 1 % failed");
  for (const ObjectiveFigures& objective : level.objectives) {
    absl::StrAppendFormat(&line, "  %s %s (%.2f %% late)", ObjectiveName(objective.p99),
                          objective.kept ? "kept" : "missed",
                          100 * Ratio(due - objective.within, due));
  }
  if (!level.steady) absl::StrAppend(&line, "  latency grew all the time");
  if (report.gave_up) absl::StrAppend(&line, "  ended early");
  if (report.compared.wrong > 0) {
    absl::StrAppend(&line, "  ", report.compared.wrong, " wrong: ", report.compared.first_wrong);
  }
  if (GeneratorWasLate(report)) absl::StrAppend(&line, "  the generator sent late");
  return line;
}

std::string ToText(const MaxRateReport& report) {
  std::string text =
      absl::StrFormat("%d probes in %.1f s, %d %s a request, %d channels%s\n", report.probes.size(),
                      Seconds(report.elapsed).count(), report.run.rows_per_request,
                      report.run.rows_per_request == 1 ? "row" : "rows", report.run.connections,
                      report.interrupted ? " (interrupted)" : "");
  for (const ObjectiveRate& objective : report.objectives) {
    text += ObjectiveText(report, objective);
  }
  return text;
}

}  // namespace escan::loadgen
