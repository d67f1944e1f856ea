#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "escan/time.h"
#include "loadgen/tally.h"

namespace escan::loadgen {

// The part of the requests that may miss an objective for the p99.
inline constexpr double kMissesAllowed = 0.01;

// The requests of a run that were due, the failed and the unsent ones included.
struct DueRequests {
  int64_t count = 0;
  Duration span{};  // over which they were due
};

// One objective, and what came of it.
struct ObjectiveFigures {
  Duration p99{};       // the objective
  int64_t within = 0;   // requests that succeeded in that time
  int64_t samples = 0;  // of these requests
  bool kept = false;
};

// How a run kept its objectives. A request that failed or was not sent is late for all of them.
struct ServiceLevel {
  std::optional<Duration> p99;  // of all requests that were due; nullopt: more than 1 % missed

  // A median that grows by more than 1 % of the time is that of a queue without end: the rate is
  // more than 1 % over what the server can do, however short the run was.
  Duration first_half_p50{};  // of the requests due in the first half that succeeded
  Duration second_half_p50{};
  bool steady = false;

  std::vector<ObjectiveFigures> objectives;
};

// An objective is kept by a steady run whose p99 is within it. `answers` are of requests in `due`.
ServiceLevel Judge(const std::vector<TimedAnswer>& answers, const DueRequests& due,
                   absl::Span<const Duration> objectives);

// What became of the requests that were due in one interval of a run.
struct TimelineInterval {
  Duration start{};
  int64_t succeeded = 0;
  std::vector<int64_t> within;  // of each objective
  Duration p99{};               // of those that succeeded
};

// Divides the span into intervals, the last of which may be shorter.
std::vector<TimelineInterval> DivideIntoIntervals(const std::vector<TimedAnswer>& answers,
                                                  Duration span, Duration interval,
                                                  absl::Span<const Duration> objectives);

}  // namespace escan::loadgen
