#include "controller/change_cost.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_format.h"

namespace escan {
namespace {

// How much longer the steps between the two took than those before the first.
double SlowdownBetween(const EngineStatus& before, const EngineStatus& after) {
  double expected = 0;
  double took = 0;
  for (size_t s = 0; s < before.stages.size() && s < after.stages.size(); ++s) {
    const StageStatistics& first = before.stages[s].statistics;
    const StageStatistics& last = after.stages[s].statistics;
    for (size_t rows = 0; rows < first.batches_of_rows.size(); ++rows) {
      if (first.batches_of_rows[rows] == 0) continue;
      const double step = static_cast<double>(first.execute_ns_of_rows[rows]) /
                          static_cast<double>(first.batches_of_rows[rows]);
      expected +=
          step * static_cast<double>(last.batches_of_rows[rows] - first.batches_of_rows[rows]);
      took += static_cast<double>(last.execute_ns_of_rows[rows] - first.execute_ns_of_rows[rows]);
    }
  }
  return expected > 0 ? std::max(took / expected, 1.0) : 1.0;
}

double RateServed(const SimulatedFigures& figures, const Workload& workload) {
  return workload.rate ? std::min(figures.goodput, *workload.rate) : figures.goodput;
}

}  // namespace

int StartsFor(const Plan& from, const Plan& to) {
  std::vector<WorkerGroup> present = from.workers;
  int starts = 0;
  for (const WorkerGroup& group : to.workers) {
    int missing = group.count;
    for (WorkerGroup& other : present) {
      WorkerGroup same = other;
      same.count = group.count;
      if (same != group) continue;
      const int kept = std::min(missing, other.count);
      missing -= kept;
      other.count -= kept;
    }
    starts += missing;
  }
  return starts;
}

ChangeCost ChangeCostMeter::Expect(const EngineStatus& status, const Plan& to) const {
  const int starts = StartsFor(status.plan, to);
  Duration one{};
  for (const EngineStatus::Worker& worker : status.workers) {
    one = std::max(one, worker.member.start_took);
  }
  one = start_took_.value_or(one);
  return {.time = in_turn_ ? starts * one : std::min(starts, 1) * one, .slowdown = slowdown_};
}

void ChangeCostMeter::Measured(const EngineStatus& before, const EngineStatus& after, int starts,
                               Duration took) {
  if (starts == 0) return;
  start_took_ = in_turn_ ? took / starts : took;
  slowdown_ = SlowdownBetween(before, after);
}

std::string WhyNotWorth(const ChangeCost& cost, const Workload& workload,
                        const SimulatedFigures& before, const SimulatedFigures& after,
                        Duration horizon) {
  const double seconds = Seconds(cost.time).count();
  const double left = std::max(Seconds(horizon).count() - seconds, 0.0);
  const std::string price = absl::StrFormat(
      "a change takes %.3g s, in which steps take %.3g times as long", seconds, cost.slowdown);
  if (left == 0) {
    return absl::StrFormat("%s, and the load is expected to last %.3g s", price,
                           Seconds(horizon).count());
  }
  if (!Holds(before, workload)) {
    const double served = RateServed(before, workload);
    const double lost = served * (1 - 1 / cost.slowdown) * seconds;
    const double won = (RateServed(after, workload) - served) * left;
    if (won >= lost) return "";
    return absl::StrFormat("%s: %.4g samples are lost by it, and %.4g won in %.3g s", price, lost,
                           won, left);
  }
  // What serves well must go on doing so meanwhile.
  if (before.capacity / cost.slowdown < *workload.rate) {
    return absl::StrFormat("%s: too long for %.4g/s", price, *workload.rate);
  }
  const double later = before.p99.count() * (cost.slowdown - 1) * seconds;
  const double sooner = (before.p99.count() - after.p99.count()) * left;
  if (sooner >= later) return "";
  return absl::StrFormat("%s: more is lost by it than won in %.3g s", price, left);
}

}  // namespace escan
