#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/exit_schedule.h"
#include "loadgen/load_run.h"
#include "loadgen/service_level.h"
#include "traffic/latency_summary.h"

namespace escan::loadgen {

// What else is wanted to know of a run.
struct ReportOptions {
  std::vector<Duration> objectives;  // for the p99
  Duration timeline{};               // an interval; zero: none
};

// What was asked of the run.
struct RunDescription {
  std::string target;
  std::string model;
  Pace pace;
  int rows_per_request = 1;
  int connections = 1;
  int threads = 1;
  bool labelled = false;
  bool compared = false;  // with the right answers
  ExitSchedule exits;
  ReportOptions wanted;
};

struct Rate {
  double requests = 0;  // per second
  double samples = 0;   // per second
};

// The figures of a run, computed once and shown as text or JSON.
struct Report {
  RunDescription run;
  bool interrupted = false;
  bool gave_up = false;
  Duration elapsed{};
  Duration schedule_span{};
  Duration cpu{};

  int64_t sent = 0;
  int64_t succeeded = 0;
  int64_t failed = 0;
  NotSent not_sent;
  int64_t samples = 0;
  int64_t correct = 0;
  int64_t misplaced = 0;
  ComparedSamples compared;

  std::optional<Rate> offered;  // open loop only
  Rate achieved;                // of successes
  LatencySummary latency;
  std::optional<LatencySummary> lateness;  // open loop only
  ExitCounts exits;
  std::vector<ExitCounts> exits_by_segment;   // of run.exits
  std::optional<ServiceLevel> service_level;  // if there are objectives
  std::vector<TimelineInterval> timeline;
  std::map<std::string, ErrorCount> errors;
};

// The stages that samples were meant for, and those at which some left.
struct SegmentExit {
  int64_t samples = 0;
  double share = 0;
  double target_share = 0;
};

std::map<int, SegmentExit> CompareSegment(const ExitSegment& segment, const ExitCounts& counts);

// Requests that succeeded within an objective, per second of the schedule.
Rate Goodput(const Report& report, const ObjectiveFigures& objective);

Report BuildReport(const RunDescription& run, Outcome outcome);

// True when the generator itself was so late that the figures say little about the server: its p99
// is over 1 ms and over a tenth of the latency's.
bool GeneratorWasLate(const Report& report);

// For people: several lines, aligned.
std::string ToText(const Report& report);

// One line without its end.
std::string ToLine(const RunProgress& before, const RunProgress& now);

}  // namespace escan::loadgen
