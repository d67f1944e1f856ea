#include "simulation/simulation.h"

#include <algorithm>
#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "simulation/simulation_run.h"

namespace escan {
namespace {

constexpr double kMinRate = OpenLoad::kMinRate;
constexpr double kMaxRate = OpenLoad::kMaxRate;
constexpr int64_t kMaxSamples = 100'000'000;
constexpr Duration kMaxOverhead = std::chrono::hours(24);  // no time overflows

template <typename... Parts>
absl::Status Mistake(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

absl::Status CheckPace(const SimulatedLoad& load) {
  if (const auto* open = std::get_if<OpenLoad>(&load.pace)) {
    if (kMinRate <= open->rate && open->rate <= kMaxRate) return absl::OkStatus();
    return Mistake("rate: ", open->rate, " is not in [", kMinRate, ", ", kMaxRate,
                   "], requests per second");
  }
  const int concurrency = std::get<ClosedLoad>(load.pace).concurrency;
  if (concurrency > 0) return absl::OkStatus();
  return Mistake("concurrency: ", concurrency, " is not 1 or more");
}

absl::Status CheckExits(const std::vector<ExitPhase>& exits, const CascadeSpec& cascade) {
  if (exits.empty() || exits.front().start != Duration::zero()) {
    return Mistake("exit ratios: none for the first request");
  }
  for (const ExitPhase& phase : exits) {
    if (absl::Status status = CheckExitRatios(phase.ratios, cascade); !status.ok()) return status;
  }
  if (std::ranges::is_sorted(exits, {}, &ExitPhase::start)) return absl::OkStatus();
  return Mistake("exit ratios: the times from which they hold do not ascend");
}

absl::Status Check(const SimulatedLoad& load, const CascadeSpec& cascade) {
  if (absl::Status status = CheckPace(load); !status.ok()) return status;
  if (absl::Status status = CheckExits(load.exits, cascade); !status.ok()) return status;
  if (load.rows < 1 || load.rows > cascade.max_rows) {
    return Mistake("rows: ", load.rows, " is not in [1, ", cascade.max_rows, "], the rows that a ",
                   "request of ", cascade.name, " may have");
  }
  if (load.samples < 1 || load.samples > kMaxSamples) {
    return Mistake("samples: ", load.samples, " is not in [1, ", kMaxSamples, "]");
  }
  if (load.warmup_samples < 0 || load.warmup_samples > kMaxSamples) {
    return Mistake("warm-up samples: ", load.warmup_samples, " is not in [0, ", kMaxSamples, "]");
  }
  if (load.deadline <= Duration::zero()) {
    return Mistake("deadline: ", Seconds(load.deadline).count(), " s is not more than zero");
  }
  if (load.overhead < Duration::zero() || load.overhead > kMaxOverhead) {
    return Mistake("overhead: ", Seconds(load.overhead).count(), " s is not in [0, ",
                   Seconds(kMaxOverhead).count(), "]");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckExitRatios(const std::vector<double>& ratios, const CascadeSpec& cascade) {
  const size_t expected = cascade.stages.size() - 1;
  if (ratios.size() != expected) {
    return Mistake("exit ratios: ", ratios.size(), " given, expected ", expected,
                   ", one for each stage of ", cascade.name, " but the last");
  }
  for (const double ratio : ratios) {
    if (!(0 <= ratio && ratio <= 1)) return Mistake("exit ratios: ", ratio, " is not in [0, 1]");
  }
  return absl::OkStatus();
}

absl::StatusOr<SimulationReport> Simulate(const SimulatedSystem& system,
                                          const SimulatedLoad& load) {
  if (absl::Status status = Check(load, system.cascade); !status.ok()) return status;
  return SimulationRun(system, load).Run();
}

}  // namespace escan
