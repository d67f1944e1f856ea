#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "escan/time.h"
#include "loadgen/rate_search.h"
#include "loadgen/report.h"
#include "loadgen/workload.h"

namespace escan::loadgen {

struct MaxRateOptions {
  double start_rate = 100;  // requests per second
  double tolerance = 0.05;
  Duration max_time = std::chrono::seconds(120);
};

// The highest rate found for one objective.
struct ObjectiveRate {
  Duration p99{};  // the objective
  RateBracket bracket;
  bool settled = false;         // to within the tolerance
  std::optional<size_t> probe;  // in MaxRateReport::probes, at the rate that kept it
};

struct MaxRateReport {
  RunDescription run;  // its rate is that of no probe
  std::vector<Report> probes;
  std::vector<ObjectiveRate> objectives;  // as asked for
  Duration elapsed{};
  bool interrupted = false;
};

// Puts open-loop load of that rate on the server and reports once all of it is answered.
using RunProbe = std::function<Report(double rate, const LoadLimits& limits)>;
using OnProbe = std::function<void(size_t number, const Report& report)>;

// Searches the highest rate that keeps each objective of `run`, which has at least one. `limits`
// has the warm-up and duration of a probe; slow probes last longer, for the p99 of a few hundred
// requests says nothing, and one ends as soon as it cannot keep any objective. Blocks until all
// objectives are settled, a probe was interrupted, or another one would go beyond the time; at
// least one probe is run.
MaxRateReport FindMaxRate(const MaxRateOptions& options, const RunDescription& run,
                          const LoadLimits& limits, const RunProbe& run_probe,
                          const OnProbe& on_probe);

// At the highest rate that kept the objective; zero if none did.
Rate GoodputAtMaxRate(const MaxRateReport& report, const ObjectiveRate& objective);

// For people: a line for each probe, and several lines of what was found.
std::string ProbeLine(size_t number, const Report& report);
std::string ToText(const MaxRateReport& report);

}  // namespace escan::loadgen
