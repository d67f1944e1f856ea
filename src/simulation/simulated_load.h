#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "escan/time.h"
#include "traffic/arrivals.h"

namespace escan {

// Requests come at times that do not depend on the answers.
struct OpenLoad {
  static constexpr double kMinRate = 0.1;  // within these no time overflows
  static constexpr double kMaxRate = 1e8;

  Arrivals arrivals = Arrivals::kPoisson;
  double rate = 0;  // requests per second
};

// A fixed number of clients, each of which sends its next request when the one before is answered;
// 1 ms later if that was refused or exceeded its deadline.
struct ClosedLoad {
  int concurrency = 1;
};

// From `start` on, counted from the start of the run, the samples that reach stage i leave
// there with the probability ratios[i]; one number for each stage but the last.
struct ExitPhase {
  Duration start{};
  std::vector<double> ratios;
};

// When to end a run before its time: as soon as more than so many measured requests took longer
// than that, or more than so many were not served.
struct LateLimit {
  Duration latency{};
  int64_t requests = 0;
};

// What the clients of a simulated cascade do.
struct SimulatedLoad {
  std::variant<OpenLoad, ClosedLoad> pace;
  int rows = 1;                         // samples in a request
  int64_t samples = 100'000;            // that are measured, rounded up to whole requests
  int64_t warmup_samples = 0;           // before these, under the same load
  std::vector<ExitPhase> exits;         // by start, of which the first is zero
  Duration deadline = Duration::max();  // of a request, where the cascade's own is longer
  Duration overhead{};                  // of the front end, added to the latency of every request
  uint64_t seed = 1;                    // of arrivals and exits
  std::optional<LateLimit> late_limit;  // none: to the end
};

}  // namespace escan
