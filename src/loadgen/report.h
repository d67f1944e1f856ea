#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "load/latency_summary.h"
#include "loadgen/exit_schedule.h"
#include "loadgen/load_run.h"

namespace escan::loadgen {

// What was asked of the run.
struct RunDescription {
  std::string target;
  std::string model;
  Pace pace;
  int rows_per_request = 1;
  int connections = 1;
  int threads = 1;
  bool labelled = false;
  ExitSchedule exits;
};

struct Rate {
  double requests = 0;  // per second
  double samples = 0;   // per second
};

// The figures of a run, computed once and shown as text or JSON.
struct Report {
  RunDescription run;
  bool interrupted = false;
  Duration elapsed{};
  Duration cpu{};

  int64_t sent = 0;
  int64_t succeeded = 0;
  int64_t failed = 0;
  NotSent not_sent;
  int64_t samples = 0;
  int64_t correct = 0;

  std::optional<Rate> offered;  // open loop only
  Rate achieved;                // of successes
  LatencySummary latency;
  std::optional<LatencySummary> lateness;  // open loop only
  ExitCounts exits;
  std::vector<ExitCounts> exits_by_segment;  // of run.exits
  std::map<std::string, ErrorCount> errors;
};

Report BuildReport(const RunDescription& run, Outcome outcome);

// True when the generator itself was so late that the figures say little about the server: its p99
// is over 1 ms and over a tenth of the latency's.
bool GeneratorWasLate(const Report& report);

// For people: several lines, aligned.
std::string ToText(const Report& report);

// One JSON object; docs/load_generator.md lists the keys.
std::string ToJson(const Report& report);

// One line without its end.
std::string ToLine(const RunProgress& before, const RunProgress& now);

}  // namespace escan::loadgen
