#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "contracts/plan.h"
#include "escan/time.h"
#include "simulation/simulated_load.h"
#include "simulation/simulation_report.h"

namespace escan {

// What became of one request.
enum class RequestEnd { kServed, kRefused, kDeadlineExceeded };

// Adds up what a simulation measures: the `requests` that follow the warm-up, and the steps from
// the first one's sending to the last one's answer. Plain code, used by one thread.
class SimulationTally {
 public:
  // A latency up to `objective` is good. `plan` outlives the tally.
  SimulationTally(const Plan& plan, int64_t requests, Duration objective,
                  std::optional<LateLimit> limit);

  // The next request, which is measured, is sent.
  void Sent(TimePoint now);
  // A measured request of `rows` rows, sent at `sent`, is over.
  void Ended(RequestEnd end, int rows, TimePoint sent, TimePoint now);
  // A stage answered one of its rows, if it is served.
  void Exited(int stage) { ++at(stage).exits; }
  // A worker of `group` ran a batch.
  struct Step {
    int group = 0;
    int stage = 0;
    int rows = 0;
    TimePoint begin;
    TimePoint end;
  };
  void Ran(const Step& step);

  // Whether more is late, or lost, than the limit allows.
  bool past_limit() const;

  SimulationReport Report() const;

 private:
  bool begun() const { return report_.requests.sent > 0; }
  bool over() const { return ended_ == requests_; }
  StageFigures& at(int stage) { return report_.stages[static_cast<size_t>(stage)]; }
  // The part of what `workers` could have run that took `busy`.
  double Part(Duration busy, int workers) const;

  const Plan& plan_;
  const int64_t requests_;
  const Duration objective_;
  const std::optional<LateLimit> limit_;

  int64_t ended_ = 0;
  int64_t good_samples_ = 0;
  int64_t late_ = 0;  // than the limit
  TimePoint start_;   // once begun
  SimulationReport report_;
  std::vector<Duration> latencies_;
  std::vector<Duration> step_times_;  // [stage], summed over batches
  std::vector<Duration> stage_busy_;  // [stage], within what is measured
  std::vector<Duration> group_busy_;  // [group]
};

}  // namespace escan
