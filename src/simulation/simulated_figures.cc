#include "simulation/simulated_figures.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace escan {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr double kMostLost = 0.01;       // of the requests: the p99 would be one of these
constexpr double kAbove = 1.05;          // times the capacity, which no goodput exceeds
constexpr double kMoreThanLeast = 1e-3;  // by which a plan beats another one's goodput
constexpr int kMostTries = 8;            // of rates, for one goodput

// In requests: enough to see the one in a hundred.
constexpr int64_t kMeasured = 10'000;
constexpr int64_t kWarmUp = 2'000;
constexpr int64_t kMostSamples = 200'000;  // of large requests fewer must do
// Requests under way in a saturated run, in what all workers can hold: with fewer batches are not
// always full.
constexpr int kHeldRows = 4;
// Rounds of that many, of a saturated run.
constexpr int64_t kRounds = 16;
// A queue that grows by 4 % of the time is as long as the objective after so many objectives.
constexpr double kObjectives = 25;

// Runs one plan under loads that are like the workload.
class Trial {
 public:
  Trial(const SimulatedSystem& system, const Workload& workload)
      : system_(system), objective_(workload.objective) {
    load_.rows = workload.rows_per_request;
    load_.samples = Samples(kMeasured);
    load_.warmup_samples = Samples(kWarmUp);
    std::vector<double> ratios = workload.exit_ratios;
    ratios.pop_back();
    load_.exits = {{.ratios = std::move(ratios)}};
  }

  struct Result {
    int64_t samples = 0;  // that were served
    Seconds elapsed{};
    double rate = 0;  // samples per second, where it was asked for
    Seconds p99{};
    bool keeps_objective = false;
  };

  absl::StatusOr<Result> AtRate(double rate) const { return Run(LoadAt(rate)); }

  // As that, but a run that misses the objective ends as soon as this is certain.
  absl::StatusOr<Result> WhetherKeptAt(double rate) const {
    SimulatedLoad load = LoadAt(rate);
    if (objective_.has_value()) {
      const auto requests = static_cast<double>(load.samples / load.rows);
      load.late_limit = {.latency = std::chrono::duration_cast<Duration>(*objective_),
                         .requests = static_cast<int64_t>(kMostLost * requests)};
    }
    return Run(load);
  }

  // With as many requests under way as fill all batches. At the end of a run, batches are not full:
  // what a long run serves after the end of a short one, which begins in the same way, is what
  // counts, or else a run would have to be much longer.
  absl::StatusOr<Result> Saturated() const {
    const int rows = RowsInFullBatches();
    SimulatedLoad load = load_;
    const int concurrency = std::min(rows, system_.cascade.slots) / load.rows;
    load.pace = ClosedLoad{.concurrency = std::max(concurrency, 1)};
    load.samples = std::max<int64_t>(load.samples, kRounds * rows);
    load.warmup_samples = std::max<int64_t>(load.warmup_samples, rows);
    absl::StatusOr<Result> all = Run(load);
    load.samples = std::max<int64_t>(load.samples / 4, load.rows);
    const absl::StatusOr<Result> quarter = all.ok() ? Run(load) : all;
    if (!quarter.ok()) return quarter;
    const Seconds longer = all->elapsed - quarter->elapsed;
    all->rate = longer > Seconds::zero()
                    ? static_cast<double>(all->samples - quarter->samples) / longer.count()
                    : 0;
    return all;
  }

 private:
  SimulatedLoad LoadAt(double rate) const {
    SimulatedLoad load = load_;
    load.pace = OpenLoad{.rate = std::max(rate / load.rows, OpenLoad::kMinRate)};
    if (objective_.has_value()) {
      const double samples = rate * kObjectives * objective_->count();
      const auto most = static_cast<double>(std::max(kMostSamples, load.samples));
      load.samples = std::max(load.samples, static_cast<int64_t>(std::min(samples, most)));
    }
    return load;
  }

  int64_t Samples(int64_t requests) const {
    const int64_t rows = load_.rows;
    return std::max(std::min(requests * rows, kMostSamples * requests / kMeasured), rows);
  }

  int RowsInFullBatches() const {
    const Plan& plan = system_.plan;
    int rows = 0;
    for (const WorkerGroup& group : plan.workers) {
      int largest = 0;
      for (const int stage : group.stages) {
        largest = std::max(largest, plan.stages[static_cast<size_t>(stage)].max_batch);
      }
      rows += kHeldRows * group.count * group.credits * largest;
    }
    return rows;
  }

  absl::StatusOr<Result> Run(const SimulatedLoad& load) const {
    const absl::StatusOr<SimulationReport> report = Simulate(system_, load);
    if (!report.ok()) return report.status();
    const RequestFigures& requests = report->requests;
    const auto lost = static_cast<double>(requests.sent - requests.served);
    Result result{
        .samples = report->samples, .elapsed = report->elapsed, .p99 = report->latency.p99};
    if (lost > kMostLost * static_cast<double>(requests.sent)) result.p99 = Seconds(kInfinite);
    result.keeps_objective =
        std::isfinite(result.p99.count()) && result.p99 <= objective_.value_or(result.p99);
    return result;
  }

  const SimulatedSystem& system_;
  const std::optional<Seconds> objective_;
  SimulatedLoad load_;
};

// Halves what is between a rate that keeps the objective, figures->goodput or no rate at all, and
// one that misses it, until the goodput is known or the plan given up.
absl::Status FindGoodput(const Trial& trial, const Workload& workload, double least,
                         SimulatedFigures* figures) {
  const double to_beat = least * (1 + kMoreThanLeast);
  if (!workload.rate) figures->p99 = Seconds(kInfinite);
  double& kept = figures->goodput;
  double missed = figures->capacity * kAbove;
  if (workload.rate && kept == 0) missed = std::min(missed, *workload.rate);
  double rate = kept < least ? to_beat : (kept + missed) / 2;
  for (int i = 0; i < kMostTries && missed > std::max(kept * (1 + kGoodputResolution), to_beat);
       ++i) {
    const absl::StatusOr<Trial::Result> result = trial.WhetherKeptAt(rate);
    if (!result.ok()) return result.status();
    if (!workload.rate && result->keeps_objective) figures->p99 = result->p99;
    (result->keeps_objective ? kept : missed) = rate;
    rate = (kept + missed) / 2;
  }
  return absl::OkStatus();
}

}  // namespace

bool Holds(const SimulatedFigures& figures, const Workload& workload) {
  return workload.rate.has_value() && figures.goodput >= *workload.rate &&
         figures.capacity >= kHeadroom * *workload.rate;
}

absl::StatusOr<SimulatedFigures> SimulatePlan(const SimulatedSystem& system,
                                              const Workload& workload, Goal goal, double least) {
  const Trial trial(system, workload);
  const absl::StatusOr<Trial::Result> saturated = trial.Saturated();
  if (!saturated.ok()) return saturated.status();
  SimulatedFigures figures{.capacity = saturated->rate, .p99 = saturated->p99};
  if (workload.rate) {
    const absl::StatusOr<Trial::Result> result = trial.AtRate(*workload.rate);
    if (!result.ok()) return result.status();
    figures.p99 = result->p99;
    if (result->keeps_objective) figures.goodput = std::min(*workload.rate, figures.capacity);
  }
  if (goal == Goal::kLatency) return figures;
  if (!workload.objective) {
    figures.goodput = figures.capacity;
    return figures;
  }
  if (absl::Status status = FindGoodput(trial, workload, least, &figures); !status.ok()) {
    return status;
  }
  return figures;
}

absl::StatusOr<bool> KeepsObjective(const SimulatedSystem& system, const Workload& workload,
                                    double rate) {
  const absl::StatusOr<Trial::Result> result = Trial(system, workload).WhetherKeptAt(rate);
  if (!result.ok()) return result.status();
  return result->keeps_objective;
}

}  // namespace escan
